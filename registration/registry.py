"""Registries: one explicit dictionary per concept, which a shop's plug-ins extend at start.

A concept (model, recall channel, filter, …) has one `Registry`. Its built-in members are listed where it is
created; further members come from the modules that the setting `plugins` names, in every process that builds,
serves or evaluates. Nothing is found by scanning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from registration.declaration import declaration_fault, name_fault

K = TypeVar("K")

BUILT_IN = "shopfront"


class RegistrationError(Exception):
    """A registration contradicts another or is incomplete; the message names both sides and what to do."""


class Registry(Mapping[str, K], Generic[K]):
    """Members of one concept by name, in the order they were registered.

    Example:
        >>> filters = Registry("filter", "FILTERS", {"adult": 1})
        >>> filters.add("age", 2, source="my_shop.filters")
        >>> list(filters)
        ['adult', 'age']
    """

    def __init__(
        self,
        concept: str,
        attribute: str,
        members: Mapping[str, K],
        fault: Callable[[str, K, Mapping[str, K]], str | None] | None = None,
        *,
        kind: type[K] | None = None,
    ) -> None:
        """Creates the registry with its built-in members.

        Args:
            concept: what a member is, as messages call it: "recall channel".
            attribute: name of the dictionary in a plug-in's module whose entries are registered here.
            members: the built-in members by name.
            fault: fault(name, member, members registered before) is why a member cannot be registered, and
                what to do, continuing "the recall channel near of my_shop"; None where it can.
            kind: type of every member, checked with its fields before `fault`; None: any.
        """
        self.concept = concept
        self.attribute = attribute
        self._fault = fault
        self._kind = kind
        self._members: dict[str, K] = {}
        self._sources: dict[str, str] = {}
        for name, member in members.items():
            self.add(name, member, BUILT_IN)

    def add(self, name: str, member: K, source: str) -> None:
        """Registers a member of the module `source`; the same one twice is registered once.

        Raises RegistrationError where the name is unusable or another member's, or the member has a fault.
        """
        fault = name_fault(name)
        if fault is not None:
            raise RegistrationError(f"the {self.concept} {str(name)[:80]!r} of {source} {fault}")
        if name in self._members:
            if self._members[name] is member and self._sources[name] == source:
                return
            raise RegistrationError(
                f"two {self.concept}s are named {name}: one of {self._sources[name]} and one of {source}; "
                f"rename the one in {source}"
            )
        if self._kind is not None:
            fault = declaration_fault(member, self._kind)
        if fault is None and self._fault is not None:
            fault = self._fault(name, member, self._members)
        if fault is not None:
            raise RegistrationError(f"the {self.concept} {name} of {source} {fault}")
        self._members[name] = member
        self._sources[name] = source

    def remove(self, source: str) -> None:
        """Forgets every member that the module `source` registered."""
        for name in [name for name, module in self._sources.items() if module == source]:
            del self._members[name]
            del self._sources[name]

    def source(self, name: str) -> str:
        """The module that registered `name`; "shopfront" for built-in members."""
        return self._sources[name]

    def owner(self, name: str) -> str:
        """The member as messages call it: "the recall channel near of my_shop"."""
        return f"the {self.concept} {name} of {self._sources[name]}"

    def __getitem__(self, name: str) -> K:
        """The member; KeyError where there is none."""
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        """Names in the order of registration."""
        return iter(self._members)

    def __len__(self) -> int:
        """Number of members."""
        return len(self._members)
