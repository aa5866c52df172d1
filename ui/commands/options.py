"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.backends.name import BackendName

PipelineArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The pipeline file.", show_default=False)
]

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="The run's name, the start of it, or `last`.", show_default=False
    ),
]

AsJson = Annotated[
    bool, typer.Option("--json", help="Write one JSON document to stdout, and nothing else there.")
]

Force = Annotated[
    bool, typer.Option("--force", help="Overwrite what is there already; other files stay.")
]

ComponentFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--components",
        metavar="DIR",
        envvar="EOLOOM_COMPONENTS_PATH",
        help="A folder of components, or the folder of one, beside the built-in ones. Repeatable; "
        "the variable holds folders separated by ':'.",
        show_default=False,
    ),
]

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NODE.PARAMETER=VALUE",
        help="Set a parameter of a node; the value is YAML. Repeatable.",
        show_default=False,
    ),
]

OutputPath = Annotated[
    Path,
    typer.Option("--output", "-o", help="The file or folder to write.", show_default=False),
]

RunsFolder = Annotated[
    Path | None,
    typer.Option(
        "--runs-folder",
        metavar="DIR",
        help="Where runs and their journal are kept; else EOLOOM_RUNS_FOLDER, else ./runs.",
        show_default=False,
    ),
]

Cache = Annotated[
    bool | None,
    typer.Option(
        "--cache/--no-cache",
        help="Take what earlier runs have computed from equal input, or call every operation and "
        "remember nothing; else EOLOOM_CACHE, else the first.",
        show_default=False,
    ),
]

Live = Annotated[
    bool, typer.Option("--live/--no-live", help="A live table, or plain lines of progress.")
]

ChosenBackend = Annotated[
    BackendName | None,
    typer.Option(
        "--backend",
        help="Where the components run: as processes of this machine, as containers of a Docker "
        "engine, or at the addresses in EOLOOM_ADDRESSES, where they run already. Else "
        "EOLOOM_BACKEND, else local.",
        show_default=False,
    ),
]

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="HOST:PORT",
        help="The orchestrator service that runs it (`eoloom serve`); else EOLOOM_SERVER, else "
        "this machine. A token goes into EOLOOM_SERVER_TOKEN or EOLOOM_SERVER_TOKEN_FILE.",
        show_default=False,
    ),
]

Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="NAME_OR_FILE",
        help="With kustomize: a profile of a Kubernetes site, by name or path; an overlay is made "
        "of each. Repeatable; plain by default.",
        show_default=False,
    ),
]

ProfileValues = Annotated[
    list[str] | None,
    typer.Option(
        "--profile-set",
        metavar="FIELD=VALUE",
        help="Answer what the profile leaves open, such as storage.storage_class=nfs. Repeatable.",
        show_default=False,
    ),
]

RequireDigests = Annotated[
    bool,
    typer.Option(
        "--require-digests",
        help="Fail where an image cannot be pinned to its digest, instead of warning.",
    ),
]


def _check_picture(path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in {".svg", ".png"}:
        raise typer.BadParameter(f"{path.name!r} ends neither in .svg nor in .png")
    return path


PictureFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write a figure instead, as .svg or .png.",
        callback=_check_picture,
        show_default=False,
    ),
]
