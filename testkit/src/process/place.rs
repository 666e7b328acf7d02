//! Where the files go: a directory `testkit` in cargo's target directory.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The directory for everything that testkit writes, made if it is not there.
///
/// It is found at run time, since neither a test nor an example is told its target directory: from
/// where the program lies, else (doc tests are built elsewhere) from the working directory, else
/// it is in the system's directory for temporary files.
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

/// Cargo writes the first file always and the second if it made the directory.
fn is_target(dir: &Path) -> bool {
    dir.join(".rustc_info.json").exists() || dir.join("CACHEDIR.TAG").exists()
}
