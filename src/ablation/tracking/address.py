"""Where the runs go: MLflow's own variables read, and what is secret in them kept out of all that is written."""

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote

URI = "MLFLOW_TRACKING_URI"
USERNAME, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
LEDGER = "mlflow-ledger.jsonl"  # of what was sent there, in the folder of a study's results
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
# Scheme, user and password, rest. A password that nobody percent-encoded may hold anything.
PARTS = re.compile(r"^(?P<scheme>[\w+.-]+://)(?:(?P<user>[^:@/?#]*)(?::(?P<password>.*))?@)?(?P<rest>.*)$", re.DOTALL)
# What SQLite says, and what it means.
DATABASE = {
    "database is locked": "another program holds its file (database is locked).",
    "readonly database": "its file is read-only, or was taken away while it was open.",
    "unable to open database file": "its file or folder may not be opened, or there are too many open files.",
    "disk is full": "the disk is full.",
}


@dataclass(frozen=True)
class Address:
    """A tracking server or database.

    Attributes
    ----------
    uri : str
        What MLflow is given: of a server, without user and password, which it has from `environment`.
    public : str
        What people and files may see.
    environment : dict of str to str
        MLflow's variables that belong to `uri`.
    secrets : tuple of str
        Nothing that is written may contain one of them.
    default : bool
        Whether no variable named it, so that it lies beside the results.
    """

    uri: str
    public: str
    environment: dict[str, str]
    secrets: tuple[str, ...]
    default: bool = False

    @classmethod
    def of(cls, results: Path, environment: Mapping[str, str] = os.environ) -> "Address":
        """Read MLflow's own variables; where they name no server, runs go to SQLite beside the results.

        Parameters
        ----------
        results : Path
            Folder of all results; it need not exist.
        """
        uri = environment.get(URI) or f"sqlite:///{results / 'mlflow.db'}"
        parts = PARTS.match(uri)
        user, password = (unquote(parts[name] or "") for name in ("user", "password")) if parts else ("", "")
        public = f"{parts['scheme']}{parts['rest'].partition('?')[0]}" if parts else uri
        known = {name: environment[name] for name in (USERNAME, PASSWORD, TOKEN) if environment.get(name)}
        stated = {name: value for name, value in ((USERNAME, user), (PASSWORD, password)) if user and value}
        if parts and parts["scheme"] in ("http://", "https://"):
            # MLflow prints the address of a server, and so does every error on the way there.
            uri, known = f"{parts['scheme']}{parts['rest']}", known | stated
        hidden = [environment.get(PASSWORD), environment.get(TOKEN), password, parts["password"] if parts else None]
        if PASSWORD in known:
            pair = f"{known.get(USERNAME, '')}:{known[PASSWORD]}"
            hidden.append(base64.b64encode(pair.encode()).decode())
        secrets = sorted({secret for secret in hidden if secret}, key=len, reverse=True)
        return cls(uri, public, {URI: uri, **known}, tuple(secrets), not environment.get(URI))

    @property
    def local(self) -> bool:
        """Whether it is a file of this machine, which the kernel's lock guards."""
        return self.uri.startswith("sqlite:")

    def redact(self, text: str) -> str:
        """Take out of a text what nobody may read."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return re.sub(r"(?<=://)[^\s/@]+@", "***@", text)

    def explain(self, error: Exception) -> str:
        """Say in a sentence why MLflow could not be written."""
        status = _status(error)
        if status == 401:
            return (
                f"MLflow at {self.public} does not accept who we are: it wants a user and a password in {USERNAME} and "
                f"{PASSWORD}, or a token in {TOKEN}."
            )
        if status == 403:
            return f"MLflow at {self.public} knows us and does not let us write: {self.redact(str(error))}"
        text = self.redact(str(error))
        unreachable = re.search(r"(?:NewConnection|NameResolution)Error.*?\[Errno -?\d+\] ([^'\")]+)", text)
        if unreachable:
            return f"MLflow at {self.public} cannot be reached: {unreachable[1]}."
        if re.search(
            "Connection aborted|Connection reset|RemoteDisconnected", text
        ):  # it ended in the middle of an answer
            return f"MLflow at {self.public} cannot be reached: the connection broke."
        schema = re.search(r"found version (\w+), but expected (\w+)", text)
        if schema:
            return (
                f"MLflow's database {self.public} has tables of another version of MLflow: found {schema[1]}, expected "
                f"{schema[2]}. `mlflow db upgrade` brings older ones up to date (keep a copy); for newer ones, use the "
                "version of MLflow that wrote them."
            )
        why = next((said for sign, said in DATABASE.items() if sign in text), text)
        return f"MLflow at {self.public} could not be written: {why}"


def refused(error: Exception) -> bool:
    """Say whether a server answered that we may not: asking again will not help."""
    return _status(error) in (401, 403)


def _status(error: Exception) -> int | None:
    """Return the HTTP status that an error of MLflow or of requests tells of."""
    if hasattr(error, "get_http_status_code"):
        return error.get_http_status_code()
    return getattr(getattr(error, "response", None), "status_code", None)


class Redacted:
    """A stream without secrets, in the place of standard output and error: libraries print what they like."""

    def __init__(self, stream: TextIO, address: Address):
        self.stream, self.address = stream, address

    def write(self, text: str) -> int:
        """Write the text without what is secret in it."""
        self.stream.write(self.address.redact(text))
        return len(text)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


def receipt_is_stale(receipt: Mapping[str, Any], results: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether a study's receipt names another place than the one that would be written now.

    Without `MLFLOW_TRACKING_URI`, the receipt of a server is left alone, and one of a file that is gone is stale.
    """
    written = receipt["uri"]
    if environment.get(URI):
        return written != Address.of(results, environment).public
    return written.startswith("sqlite:") and not (results / "mlflow.db").exists()
