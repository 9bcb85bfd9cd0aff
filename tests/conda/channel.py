"""A conda channel on the disk, for machines that reach none: the Python that runs this, and a real pip."""

import configparser
import email
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

LEFT_OUT = ("test", "tests", "idle_test", "*-packages", "__pycache__", "config-*", "ensurepip", "*.pyc")
# Debian's Python neither looks into site-packages, where conda puts pip, nor lets pip install anything.
DEBIAN = ("EXTERNALLY-MANAGED", "sitecustomize.py")
LOOK_THERE = """\
import site, sys
site.addsitedir("{}/lib/python{}.{}/site-packages".format(sys.prefix, *sys.version_info))
"""


def digest(content):
    return hashlib.sha256(content).hexdigest()


def describe_file(root, path, placeholder):
    """Describe a file as conda's `paths.json` does; text that names the old prefix is marked to be rewritten."""
    name = path.relative_to(root).as_posix()
    content = path.read_bytes() if path.is_file() else b""
    entry = {
        "_path": name,
        "path_type": "softlink" if path.is_symlink() else "hardlink",
        "sha256": digest(content),
        "size_in_bytes": len(content),
    }
    if placeholder and not path.is_symlink() and placeholder.encode() in content and b"\0" not in content:
        entry |= {"prefix_placeholder": placeholder, "file_mode": "text"}
    return entry


def pack(channel, root, index, placeholder=None, link=None):
    """Write a folder as a package of a channel and return its line of the channel's index."""
    files = sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    entries = [describe_file(root, path, placeholder) for path in files]
    (root / "info").mkdir()
    documents = {
        "index.json": index,
        "paths.json": {"paths": entries, "paths_version": 1},
        "about.json": {"summary": "made of what this machine has"},
    } | ({"link.json": link} if link else {})
    for name, content in documents.items():
        (root / "info" / name).write_text(json.dumps(content))
    (root / "info/files").write_text("".join(f"{entry['_path']}\n" for entry in entries))
    package = channel / index["subdir"] / f"{index['name']}-{index['version']}-{index['build']}.tar.bz2"
    package.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package, "w:bz2", compresslevel=1) as archive:
        for name in ("info", *(entry["_path"] for entry in entries)):
            archive.add(root / name, name, recursive=name == "info")
    content = package.read_bytes()
    sums = {"md5": hashlib.md5(content).hexdigest(), "sha256": digest(content), "size": len(content)}
    return package.name, {**index, **sums}


def pack_python(channel):
    """Pack the Python that runs this, without what is installed in it."""
    prefix, version = Path(sys.base_prefix), "{}.{}.{}".format(*sys.version_info)
    library = "python{}.{}".format(*sys.version_info)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        ignored = shutil.ignore_patterns(*LEFT_OUT, *DEBIAN)
        shutil.copytree(prefix / "lib" / library, root / "lib" / library, symlinks=True, ignore=ignored)
        (root / "lib" / library / "site-packages").mkdir()
        (root / "lib" / library / "site-packages/README.txt").write_text("\n")
        (root / "lib" / library / "sitecustomize.py").write_text(LOOK_THERE)
        if (prefix / "include" / library).is_dir():
            shutil.copytree(prefix / "include" / library, root / "include" / library, symlinks=True)
        (root / "bin").mkdir()
        shutil.copy2(prefix / "bin" / library, root / "bin" / library)
        for name in ("python", "python3"):
            (root / "bin" / name).symlink_to(library)
        for shared in (prefix / "lib").glob("libpython*"):
            shutil.copy2(shared, root / "lib" / shared.name, follow_symlinks=False)
        if list((root / "lib").glob("libpython*")):
            path = ["patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/../lib"]
            subprocess.run([*path, str(root / "bin" / library)], check=True)
        index = {"name": "python", "version": version, "build": "0_local", "subdir": "linux-64", "depends": []}
        return pack(channel, root, {**stamp(), **index, "platform": "linux", "arch": "x86_64"}, str(prefix))


def pack_wheel(channel, wheel):
    """Pack a wheel of pure Python."""
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    metadata = next(name for name in names if name.endswith(".dist-info/METADATA") and name.count("/") == 1)
    stated = email.message_from_bytes(archive.read(metadata))
    scripts = configparser.ConfigParser(delimiters=("=",))
    scripts.optionxform = str
    for name in names:
        if name.endswith(".dist-info/entry_points.txt"):
            scripts.read_string(archive.read(name).decode())
    section = scripts["console_scripts"] if scripts.has_section("console_scripts") else {}
    noarch = {"type": "python", "entry_points": [f"{name} = {target}" for name, target in section.items()]}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        archive.extractall(root / "site-packages")
        index = {"name": stated["Name"].lower(), "version": stated["Version"], "build": "py_0_local"}
        index |= {"subdir": "noarch", "noarch": "python", "depends": ["python"]}
        link = {"noarch": noarch, "package_metadata_version": 1}
        return pack(channel, root, {**stamp(), **index}, link=link)


def stamp():
    return {"build_number": 0, "constrains": [], "timestamp": int(time.time() * 1000)}


def make_channel(channel, wheel):
    """Make a channel that has this machine's Python and the package of a wheel."""
    packages = {"linux-64": [pack_python(channel)], "noarch": [pack_wheel(channel, wheel)]}
    for subdir, found in packages.items():
        content = {"info": {"subdir": subdir}, "packages": dict(found), "packages.conda": {}, "repodata_version": 1}
        (channel / subdir / "repodata.json").write_text(json.dumps(content))
