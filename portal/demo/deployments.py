"""The Airflows that the demo can have: release, port and files of each. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from portal.demo import place


@dataclass(frozen=True)
class Deployment:
    name: str
    """Its name in the catalogue and in the names of its secrets."""
    release: str
    api: str
    port: int
    """Its preferred port."""
    catalogue: str
    """The file in demo/ with its part of the catalogue, which names the address with `port`."""
    folder: str

    @property
    def home(self) -> Path:
        return place.FOLDER / self.folder

    @property
    def ready(self) -> Path:
        """A file that exists when Gatehouse can sign in."""
        return place.FOLDER / f"{self.folder}-ready"

    @property
    def title(self) -> str:
        return f"Airflow {self.release}"

    def described(self, *, port: int) -> str:
        """Its part of the catalogue, with the real address. Raises ValueError if the file has no address to replace."""
        shipped = (place.REPOSITORY / "demo" / self.catalogue).read_text()
        written = f'"{place.address(self.port)}"'
        if shipped.count(written) != 1:
            raise ValueError(f"demo/{self.catalogue} must name the address {written} exactly once.")
        return shipped.replace(written, f'"{place.address(port)}"')


DEMO = Deployment(name="demo", release="3.3.2", api="v2", port=8080, catalogue="gatehouse.toml", folder="airflow")
LEGACY = Deployment(
    name="legacy", release="2.11.2", api="v1", port=8081, catalogue="legacy.toml", folder="airflow-legacy"
)
DEPLOYMENTS = {deployment.name: deployment for deployment in (DEMO, LEGACY)}


def wanted(airflow: str) -> tuple[Deployment, ...]:
    """The deployments for `make demo AIRFLOW=...`. Raises ValueError that names the known values."""
    if airflow in ("", "3", DEMO.release):
        return (DEMO,)
    if airflow == "both":
        return (DEMO, LEGACY)
    raise ValueError(
        f"AIRFLOW={airflow} is not known. Leave it out for {DEMO.title} alone; AIRFLOW=both adds {LEGACY.title}."
    )


def with_ports(arguments: list[str]) -> dict[str, int]:
    """The ports from "demo=8080", "legacy=8081", the format in which the demo's processes pass them on."""
    pairs = (argument.split("=") for argument in arguments)
    return {name: int(port) for name, port in pairs}
