//! The server's jars: 68 MB from Maven Central, downloaded once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use super::error::Unavailable;
use crate::process::{limited, lock, place, state};

const POM: &str = include_str!("../../files/pom.xml");
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// The time limit of the download.
const LIMIT: Duration = Duration::from_secs(300);

/// Returns the directory with the jars, and downloads them if it does not exist. The download runs
/// under the watchdog of `dir` and is moved into place at the end, so that it is never incomplete. A
/// second process waits for the first.
pub(crate) fn fetch(dir: &Path) -> Result<PathBuf, Unavailable> {
    let root = place::root()?;
    let cache = root.join("cassandra-5.0.8");
    if cache.exists() {
        return Ok(cache);
    }
    let mvn = limited::on_path("mvn").ok_or_else(|| Unavailable::missing("no mvn on the PATH"))?;
    let _lock = lock::take(&root.join("cassandra-5.0.8.lock"), 2 * LIMIT)?;
    if !cache.exists() {
        let home = dir.join(format!("jars-{}", process::id()));
        let jars = download(&mvn, &home).map_err(Unavailable::missing)?;
        fs::rename(jars, &cache)?;
        fs::remove_dir_all(&home)?;
    }
    Ok(cache)
}

fn download(mvn: &Path, home: &Path) -> io::Result<PathBuf> {
    let jars = home.join("lib");
    fs::create_dir_all(home)?;
    fs::write(home.join("pom.xml"), POM)?;
    let mut command = state::watched(home, mvn);
    command
        .current_dir(home)
        .args([
            "-q",
            "-B",
            "-f",
            "pom.xml",
            "-DincludeScope=runtime",
            "-DoutputDirectory=lib",
        ])
        .arg(COPY);
    limited::run(&mut command, LIMIT)?.success("downloading Cassandra with mvn")?;
    if jars.join("cassandra-all-5.0.8.jar").exists() {
        Ok(jars)
    } else {
        Err(io::Error::other("mvn copied no cassandra-all-5.0.8.jar"))
    }
}
