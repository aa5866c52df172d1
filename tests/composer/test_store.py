import contextlib
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from composer.component import Component
from composer.database_address import default_database_url
from composer.errors import StoreError, UnknownComponentError
from composer.onboarding import onboard
from composer.parameters import ParameterSchema
from composer.registry import Registry
from composer.store import ComponentStore, Visibility, own_user, stored_components
from tests.composer.fakes import Shelf, put_usual_components
from tests.data import ROOT

TYPES = ("int32", "string", "bytes", "double")
PROTO = 'syntax = "proto3"; message M { %s v = 1; } service S { rpc f(M) returns (M); }'


def component(name: str = "echo", version: str = "1.0.0", type_: str = "int32") -> Component:
    return onboard("registry.example/echo:1", PROTO % type_, name=name, version=version)


@pytest.fixture
def store(database_url: str) -> Iterator[ComponentStore]:
    store = ComponentStore(database_url)
    yield store
    store.close()


def names(store: ComponentStore, user: str) -> list[str]:
    return [f"{c.owner}/{c.name}@{c.version}" for c in store.visible_to(user)]


def test_a_component_comes_back_as_it_was(store: ComponentStore) -> None:
    schema = ParameterSchema({"type": "object", "properties": {"loud": {"type": "boolean"}}})
    given = onboard("a:1", PROTO % "bytes", licence="MIT", schema=schema)
    stored = store.add(given, owner="ada")
    assert (stored.licence, stored.image, stored.owner) == ("MIT", "a:1", "ada")
    assert stored.created.tzinfo is not None
    found = stored.load()
    assert found.manifest == given.manifest
    assert found.contract == given.contract
    assert found.schema == given.schema
    assert found.proto_text == given.proto_text


def test_who_sees_what(store: ComponentStore) -> None:
    store.add(component("private"), owner="ada")
    store.add(component("lent"), owner="ada", visibility=Visibility.SHARED, shared_with=["bob"])
    store.add(component("open"), owner="ada", visibility=Visibility.PUBLIC)
    assert names(store, "ada") == ["ada/lent@1.0.0", "ada/open@1.0.0", "ada/private@1.0.0"]
    assert names(store, "bob") == ["ada/lent@1.0.0", "ada/open@1.0.0"]
    assert names(store, "eve") == ["ada/open@1.0.0"]
    store.set_visibility("ada", "lent", "1.0.0", Visibility.PRIVATE)
    assert names(store, "bob") == ["ada/open@1.0.0"]


def test_a_version_never_changes(store: ComponentStore) -> None:
    first = store.add(component(), owner="ada")
    again = store.add(component(), owner="ada", visibility=Visibility.PUBLIC)
    assert again.created == first.created
    assert again.visibility is Visibility.PUBLIC
    with pytest.raises(StoreError, match=r"echo@1\.0\.0 of ada exists with other contents"):
        store.add(component(type_="string"), owner="ada")
    store.add(component(type_="string"), owner="bob")
    store.add(component(version="1.1.0", type_="string"), owner="ada")
    assert store.get("ada", "echo").version == "1.1.0"
    assert store.get("ada", "echo", "1.0.0").version == "1.0.0"


def test_ones_own_component_comes_before_another_users(store: ComponentStore) -> None:
    store.add(component(type_="string"), owner="ada", visibility=Visibility.PUBLIC)
    store.add(component(type_="bytes"), owner="bob")
    registry = Registry.discover(built_in=False, stored=store.visible_to("bob"))
    assert registry.find("echo").contract.messages["M"].fields[0].type == "bytes"
    assert [str(b.error) for b in registry.broken] == [
        "echo@1.0.0 of ada is hidden: echo is that of bob"
    ]
    others = Registry.discover(built_in=False, stored=store.visible_to("eve"))
    assert others.find("echo").contract.messages["M"].fields[0].type == "string"


def test_what_is_removed_is_gone_with_its_shares(store: ComponentStore) -> None:
    shared = {"visibility": Visibility.SHARED, "shared_with": ["bob"]}
    store.add(component(), owner="ada", **shared)
    store.remove("ada", "echo", "1.0.0")
    assert names(store, "bob") == []
    store.add(component(type_="string"), owner="ada")
    assert names(store, "bob") == []
    with pytest.raises(UnknownComponentError) as caught:
        store.remove("ada", "ecco", "1.0.0")
    assert caught.value.suggestion == "echo"


def test_wrong_users_and_shares_are_refused(store: ComponentStore, registry: Registry) -> None:
    with pytest.raises(StoreError, match="cannot be the name of a user"):
        store.add(component(), owner="")
    with pytest.raises(StoreError, match="cannot be the name of a user"):
        store.add(component(), owner="a\nb")
    with pytest.raises(StoreError, match="needs users"):
        store.add(component(), owner="ada", visibility=Visibility.SHARED)
    with pytest.raises(StoreError, match="shared with nobody"):
        store.add(component(), owner="ada", shared_with=["bob"])
    assert names(store, "ada") == [], "a refused component is not half there"
    with pytest.raises(StoreError, match="not an onboarded image"):
        store.add(registry.find("scenes"), owner="ada")


def test_a_damaged_row_does_not_stand_in_the_way(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.sqlite"
    store = ComponentStore(url)
    store.add(component("sound"), owner="ada")
    store.add(component("broken"), owner="ada")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        update = "UPDATE components SET descriptors = x'ff00' WHERE name = 'broken'"
        connection.execute(sa.text(update))
    engine.dispose()
    registry = Registry.discover(built_in=False, stored=store.visible_to("ada"))
    assert [c.reference for c in registry.components] == ["sound@1.0.0"]
    assert len(registry.broken) == 1
    store.close()


def test_only_the_user_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "data" / "registry.sqlite"
    ComponentStore(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_several_threads_may_add(store: ComponentStore) -> None:
    versions = [f"1.{n}.0" for n in range(8)]
    made = [component(version=version) for version in versions]
    threads = [
        threading.Thread(target=store.add, args=(one,), kwargs={"owner": "ada"}) for one in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(c.version for c in store.visible_to("ada")) == versions


def test_the_default_is_a_file_of_the_user(tmp_path: Path) -> None:
    assert default_database_url({"HOME": "/home/ada"}) == (
        "sqlite:////home/ada/.local/share/eoloom/registry.sqlite"
    )
    assert default_database_url({"XDG_DATA_HOME": "/data"}) == (
        "sqlite:////data/eoloom/registry.sqlite"
    )
    url = "postgresql://db.example/eoloom"
    assert default_database_url({"EOLOOM_DATABASE_URL": url, "HOME": "/"}) == url


@pytest.mark.parametrize(
    "url", ["no url", "unheard-of://host/db", "sqlite:////proc/no/registry.sqlite"]
)
def test_a_database_that_cannot_be_used_is_one_sentence(url: str) -> None:
    with pytest.raises(StoreError, match="registry database"):
        ComponentStore(url)


def test_several_processes_may_make_it_and_add_to_it(database_url: str) -> None:
    """Two versions of their own each, one that all add, and one that each would have otherwise."""
    code = (
        "import sys; from tests.composer.test_store import add_from_process;"
        "add_from_process(*sys.argv[1:])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, database_url, str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(4)
    ]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    refused = ["exists with other contents" in stdout for stdout, _ in said]
    assert sorted(refused) == [False, True, True, True]
    with contextlib.closing(ComponentStore(database_url)) as store:
        versions = {entry.version for entry in store.visible_to("ada")}
        assert store.get("ada", "echo", "9.0.0").shared_with == ("bob", "eve")
    own = {f"1.{number}.{patch}" for number in range(4) for patch in range(2)}
    assert versions == own | {"8.0.0", "9.0.0"}


def add_from_process(url: str, number: str) -> None:
    shared = {"visibility": Visibility.SHARED, "shared_with": ["bob", "eve"]}
    with contextlib.closing(ComponentStore(url)) as store:
        for patch in range(2):
            store.add(component(version=f"1.{number}.{patch}"), owner="ada")
            store.add(component(version="9.0.0"), owner="ada", **shared)
        try:
            store.add(component("echo", "8.0.0", TYPES[int(number)]), owner="ada")
        except StoreError as error:
            print(error)


def test_nothing_is_made_by_reading(tmp_path: Path) -> None:
    assert stored_components("ada", f"sqlite:///{tmp_path}/data/registry.sqlite") == []
    assert not (tmp_path / "data").exists()


def test_a_name_is_that_of_its_first_owner(store: ComponentStore, shelf: Shelf) -> None:
    """Nobody can put a newer version of a built-in, or of somebody's own component, before it."""
    put_usual_components(shelf)
    store.add(component("charts", "99.0.0"), owner="eve", visibility=Visibility.PUBLIC)
    store.add(component("mine", "99.0.0"), owner="eve", visibility=Visibility.PUBLIC)
    store.add(component("mine", "1.0.0"), owner="ada")
    found = Registry.discover([shelf.folder], built_in=False, stored=store.visible_to("ada"))
    assert found.find("charts").manifest.version != "99.0.0"
    assert found.find("mine").manifest.version == "1.0.0"
    assert [str(broken.error) for broken in found.broken] == [
        "charts@99.0.0 of eve is hidden: charts is built in or in a folder of yours",
        "mine@99.0.0 of eve is hidden: mine is that of ada",
    ]


def test_who_owns_what_is_onboarded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_user({"EOLOOM_USER": "ada"}) == "ada"
    monkeypatch.setenv("LOGNAME", "bob")
    assert own_user({}) == "bob"


def test_a_server_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    url = f"postgres://nobody:secret@/none?host={tmp_path}"
    with pytest.raises(StoreError, match="cannot use the registry database: connection") as caught:
        ComponentStore(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_driver_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"python\S* -m pip install 'eoloom\[postgresql\]'"):
        ComponentStore("postgresql://db.example/eoloom")
