# ruff: noqa
# mypy: ignore-errors
from typing import List, Optional, Union

from label_studio_sdk.label_interface.objects import PredictionValue
from pydantic import BaseModel


class ModelResponse(BaseModel):
    model_config = {"protected_namespaces": ()}
    model_version: Optional[str] = None
    predictions: List[Union[List[PredictionValue], PredictionValue]]
