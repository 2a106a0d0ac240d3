//! Where a program lies.

use std::{
    ffi::OsStr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Where programs are looked for if nobody says, as in execvp(3).
const USUAL: &str = "/bin:/usr/bin";

/// The file that execvp(3) would run for `program` in the directory `cwd` with this `PATH`; `None` for
/// one that names a path itself, or that is not found.
///
/// Found here, it can be started by `posix_spawn(3)`, which does not copy the page tables of this
/// process. The standard library forks where a program is to be looked for in another `PATH`.
pub(super) fn find(program: &str, path: Option<&OsStr>, cwd: &Path) -> Option<PathBuf> {
    if program.is_empty() || program.contains('/') {
        return None;
    }
    let directories = std::env::split_paths(path.unwrap_or(OsStr::new(USUAL)));
    directories.map(|directory| cwd.join(directory).join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_program_is_found_as_a_shell_would_find_it() {
        let directory = std::env::temp_dir().join(format!("lookup-{}", uuid::Uuid::now_v7()));
        let file = |name: &str, mode| {
            let file = directory.join(name);
            std::fs::create_dir_all(file.parent().expect("has one")).expect("made");
            std::fs::write(&file, "").expect("written");
            std::fs::set_permissions(&file, Permissions::from_mode(mode)).expect("set");
            file
        };
        file("a/tool", 0o644);
        let (there, own) = (file("b/tool", 0o755), file("tool", 0o755));
        let find = |program, path: &str| find(program, Some(OsStr::new(path)), &directory);
        assert_eq!(find("tool", "a:b:."), Some(there), "what cannot be run is passed over");
        assert_eq!(
            find("tool", "").map(|file| file.canonicalize().ok()),
            Some(own.canonicalize().ok())
        );
        assert_eq!(
            (find("other", "a:b"), find("b/tool", "a:b"), find("", "b")),
            (None, None, None)
        );
        assert!(super::find("sh", None, &directory).is_some_and(|file| file.is_absolute()));
        std::fs::remove_dir_all(directory).expect("removed");
    }
}
