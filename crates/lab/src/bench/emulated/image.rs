//! What the emulated machine has instead of a disk: the programs under test with their libraries, MariaDB with its data,
//! the engines' settings, as the archive that Linux unpacks into memory at its start (initramfs).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::super::server::{MARIADBD, install};
use super::super::{capitana, peers};
use super::plan::{CAPITANA_PROGRAM, DATA, LAB_PROGRAM, MARK_PROGRAM, engines};
use super::said;

const BUSYBOX: &str = "/bin/busybox";
const INIT: &str = include_str!("init.sh");
const DIRECTORIES: [&str; 8] =
    ["proc", "sys", "dev", "tmp", "run", "var/log/nginx", "var/lib/nginx", "var/lib/haproxy"];
/// Where Debian has what mariadbd reads at its start.
const SHARED: [&str; 2] = ["/usr/share/mysql", "/usr/share/mariadb"];
const ACCOUNTS: [(&str, &str); 2] = [
    ("etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
];
/// The log of a database that hardly anything is written to.
const LOG: &str = "8M";

/// Makes it, in a directory, for the lab in `lab`.
pub(super) fn make(directory: &Path, lab: &Path) -> Result<PathBuf> {
    let root = directory.join("root");
    for name in DIRECTORIES {
        fs::create_dir_all(root.join(name))?;
    }
    add(&root, Path::new(BUSYBOX), BUSYBOX).context("`scripts/install bench` installs busybox-static")?;
    add(&root, Path::new(MARIADBD), MARIADBD)?;
    add(&root, &capitana::checked()?, CAPITANA_PROGRAM)?;
    add(&root, &std::env::current_exe()?, LAB_PROGRAM)?;
    add(&root, &directory.join("mark"), MARK_PROGRAM)?;
    for path in [peers::HAPROXY, peers::NGINX, peers::NGINX_STREAM] {
        if Path::new(path).is_file() {
            add(&root, Path::new(path), path)?;
        }
    }
    for file in
        SHARED.iter().flat_map(|shared| ["english", "charsets"].map(|name| format!("{shared}/{name}")))
    {
        if Path::new(&file).is_dir() {
            let parent = inside(&root, &file);
            fs::create_dir_all(&parent)?;
            said(Command::new("cp").arg("-rLT").arg(&file).arg(parent))?;
        }
    }
    let settings = engines().into_iter().filter_map(|engine| engine.settings);
    for (file, text) in settings.chain([("/init", INIT.to_owned())]) {
        write(&inside(&root, file), &text)?;
    }
    for (file, text) in ACCOUNTS {
        write(&root.join(file), text)?;
    }
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))?;
    install(&inside(&root, DATA), lab, LOG)?;
    pack(&root, directory.join("initrd"))
}

/// A program or module, and the libraries it names, under the same paths.
fn add(root: &Path, file: &Path, path: &str) -> Result<()> {
    copy(file, &inside(root, path))?;
    // ldd fails for a program that is linked statically.
    let output = Command::new("ldd").arg(file).output().context("cannot run ldd")?;
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    for library in output.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(Path::new(library), &inside(root, library))?;
    }
    Ok(())
}

fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display())).map(drop)
}

fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn pack(root: &Path, archive: PathBuf) -> Result<PathBuf> {
    let line = format!("find . | cpio --quiet -o -H newc > '{}'", archive.display());
    said(Command::new("sh").args(["-c", &line]).current_dir(root))?;
    Ok(archive)
}
