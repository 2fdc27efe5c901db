"""The two accounts of the pages: *admin*, who may decide, and *viewer*, who may only see."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from nextlabel.ports.requests import is_same_secret
from nextlabel.storage.actions import StoredActions
from nextlabel.storage.page_secrets import PageSecrets

Role = Literal["admin", "viewer"]
ROLES: tuple[Role, ...] = get_args(Role)
_KEY = "key"


@dataclass(frozen=True, slots=True)
class Keys:
    """All that is needed to tell who somebody is: the key that sessions are signed by, and each role's password."""

    signing: str
    passwords: Mapping[Role, str]

    def role_of(self, name: str, password: str) -> Role | None:
        """The role whose name and password these are, compared in constant time; None where they are nobody's."""
        found = [role for role in ROLES if is_same_secret(name, role) & is_same_secret(password, self.passwords[role])]
        return found[0] if found else None

    def print_of(self, role: Role) -> str:
        """Stands for the role's password: what was signed with it holds no longer once the password is renewed."""
        return hmac.digest(self.signing.encode(), self.passwords[role].encode(), "sha256").hex()[:16]


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of this installation, the same for every process."""

    kept: PageSecrets
    actions: StoredActions

    def keys(self) -> Keys:
        """Made at the first call."""
        found = self.kept.all({_KEY, *ROLES})
        return Keys(found[_KEY], {role: found[role] for role in ROLES})

    def renew(self, role: Role, by: str) -> str:
        """A new password, which is returned; all sessions of that role end."""
        made = self.kept.renew(role)
        self.actions.add(by, f"renewed the password of {role}")
        return made

    def note_login(self, role: Role, address: str) -> None:
        """Somebody has logged in, from an address of the network."""
        self.actions.add(role, f"logged in from {address}")
