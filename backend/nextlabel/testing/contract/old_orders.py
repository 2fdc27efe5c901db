"""What a connector promises whose tool keeps old orders: only what is nextlabel's is ever removed."""

from __future__ import annotations

import pytest

from nextlabel.errors import (
    VersionTaken,
)
from nextlabel.ports.tool import OwnOrder, Pruned
from nextlabel.testing.contract.core import WithScene
from nextlabel.testing.contract.versions import OTHERS, V1, V2, V3
from nextlabel.testing.harness import Served
from nextlabel.testing.scene import Scene


class OldOrdersContract(WithScene):
    """The promises of `nextlabel.ports.tool.KeepsOldOrders`."""

    def test_places_in_the_order_that_somebody_deleted_are_missed(self, scene: Scene) -> None:
        scene.rank(V1, scene.tasks[:4])
        assert scene.connector.queue_in_force(standing=4) == V1
        scene.importers.delete_predictions(scene.project, scene.tasks[1:3])
        assert scene.connector.queue_in_force(standing=4) is None
        assert scene.connector.queue_in_force(standing=2) == V1
        scene.rank(V2, scene.tasks[:4])
        assert scene.connector.queue_in_force(standing=4) == V2

    @pytest.mark.parametrize("at_rest", [False, True])
    def test_pruning_removes_old_orders_in_small_lots(self, scene: Scene, at_rest: bool) -> None:
        for version in (V1, V2, V3):
            scene.rank(version, scene.tasks[:4], "spam")
        old, lots = [OwnOrder(V1), OwnOrder(V2)], []
        while old:
            lot = scene.old_orders.prune(old, at_most=3, at_rest=at_rest)
            old = [order for order in old if order.version not in lot.emptied]
            lots.append(lot.removed)
        assert (sum(lots), max(lots) <= 3) == (8, True)
        assert scene.importers.predictions_held(scene.project) == {V3: 4}
        assert scene.work(4) == [Served(task, ("spam",)) for task in scene.tasks[:4]]

    def test_pruning_removes_no_order_that_it_is_not_given(self, scene: Scene) -> None:
        for version in (V1, V2, V3):
            scene.rank(version, scene.tasks[:2])
        assert scene.old_orders.prune([OwnOrder(V2)], at_most=100) == Pruned(2, (V2,))
        assert scene.old_orders.prune([OwnOrder(V2)], at_most=100) == Pruned(0, (V2,))
        assert scene.importers.predictions_held(scene.project) == {V1: 2, V3: 2}

    def test_pruning_never_removes_the_order_in_force(self, scene: Scene) -> None:
        order = [scene.tasks[n] for n in (5, 1, 6, 0)]
        scene.rank(V1, scene.tasks)
        scene.rank(V2, order)
        emptied = scene.old_orders.prune([OwnOrder(V1), OwnOrder(V2)], at_most=100).emptied
        assert emptied == (V1,)
        assert scene.connector.queue_in_force() == V2
        assert scene.work(4) == [Served(task, ("ham",)) for task in order]

    def test_predictions_of_others_stay_whatever_their_version_is_called(self, scene: Scene) -> None:
        for version in OTHERS:
            scene.importers.import_predictions(scene.project, version, scene.tasks[:3])
        for version in (V1, V2, V3):
            scene.rank(version, scene.tasks[:2])
        scene.old_orders.prune([OwnOrder(V1), OwnOrder(V2)], at_most=100)
        held = {**dict.fromkeys(OTHERS, 3), V3: 2}
        assert scene.importers.predictions_held(scene.project) == held
        assert dict(scene.old_orders.predictions_held()) == held

    def test_no_order_is_written_under_a_version_that_holds_other_predictions(self, scene: Scene) -> None:
        scene.rank(V1, scene.tasks[:2])
        scene.importers.import_predictions(scene.project, V2, scene.tasks[:3])
        with pytest.raises(VersionTaken):
            scene.rank(V2, scene.tasks[:2])
        assert scene.importers.predictions_held(scene.project) == {V1: 2, V2: 3}
        assert scene.connector.queue_in_force() == V1

    def test_where_others_share_the_name_of_an_order_only_its_own_places_are_removed(self, scene: Scene) -> None:
        """As releases before 0.1.1 named their orders."""
        window = tuple(scene.tasks[:4])
        scene.rank(V1, window)
        scene.importers.import_predictions(scene.project, V1, scene.tasks[2:7])
        scene.rank(V2, scene.tasks[:2])
        lot = scene.old_orders.prune([OwnOrder(V1, window)], at_most=100)
        assert lot == Pruned(4, (V1,))
        assert scene.importers.predictions_held(scene.project) == {V1: 5, V2: 2}
        assert scene.old_orders.prune([OwnOrder(V1, ())], at_most=100) == Pruned(0, (V1,))
