//! The directory `testkit` in cargo's target directory.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Returns the directory for all files of testkit, and creates it if it does not exist.
///
/// Cargo does not tell a test its target directory. So it is searched for above the program, then
/// (doc tests are built elsewhere) above the working directory. Otherwise the system's directory
/// for temporary files is used.
pub(crate) fn root() -> io::Result<PathBuf> {
    let above_program = env::current_exe().ok().and_then(|exe| {
        exe.ancestors()
            .find(|dir| is_target(dir))
            .map(PathBuf::from)
    });
    let above_here = || {
        let here = env::current_dir().ok()?;
        here.ancestors()
            .map(|dir| dir.join("target"))
            .find(|dir| is_target(dir))
    };
    let root = above_program.or_else(above_here).map_or_else(
        || env::temp_dir().join("messenger-testkit"),
        |dir| dir.join("testkit"),
    );
    fs::create_dir_all(&root)?;
    Ok(root)
}

/// Cargo always writes the first file, and the second if it created the directory.
fn is_target(dir: &Path) -> bool {
    dir.join(".rustc_info.json").exists() || dir.join("CACHEDIR.TAG").exists()
}
