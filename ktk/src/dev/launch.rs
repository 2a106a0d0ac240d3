//! The launcher: a process that turns itself into a server, bound to its parent's life.
//!
//! What it does can only be done between fork and exec, where safe Rust offers no place to stand. So it is
//! a program of its own: it changes who it is, binds itself to its parent, and execs.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{self, AccessFlags, Gid, Uid};

/// Not used by the programs that are launched, so it tells whose failure it was.
const EXIT_LAUNCH_FAILED: u8 = 125;
const NOBODY: u32 = 65_534;
/// Any id but 0 will do inside a user namespace.
const ID_INSIDE: u32 = 1_000;

/// Arguments of the hidden subcommand `launch`.
#[derive(Clone, Debug, clap::Args)]
pub struct LaunchArgs {
    /// Die with this parent (the thread that forked); exit at once if it is gone already
    #[arg(long, value_name = "PID")]
    pub(super) parent: Option<i32>,
    /// The signal by which to die with the parent
    #[arg(long, value_name = "SIGNAL", default_value = "SIGKILL")]
    pub(super) death_signal: Signal,
    /// Who to become
    #[arg(long, value_enum, default_value_t = Identity::Keep)]
    pub(super) identity: Identity,
    /// A directory that the new identity must own, with all that is in it
    #[arg(long, value_name = "DIR")]
    pub(super) own: Option<PathBuf>,
    /// Begin a session of its own, so that no terminal's end reaches it
    #[arg(long)]
    pub(super) session: bool,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub(super) command: Vec<OsString>,
}

/// Who a launched program runs as. Postgres refuses to be root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Identity {
    /// The invoking user.
    Keep,
    /// Somebody but root in a new user namespace, who is the invoking user outside: files keep
    /// their owner, and directories closed to others are no obstacle.
    Namespace,
    /// The user `nobody` (65534), where user namespaces are refused.
    Nobody,
}

impl Identity {
    /// As it is written on the launcher's command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Namespace => "namespace",
            Self::Nobody => "nobody",
        }
    }
}

/// Becomes the program named in `args`. Returns only when that failed, after saying why on stderr.
///
/// Must be called before the process has any other thread or open file: it closes every descriptor above
/// 2, and a user namespace can only be entered single-threaded.
pub fn launch_main(args: &LaunchArgs) -> ExitCode {
    let Err(reason) = launch(args);
    eprintln!("ktk launch: {reason}");
    ExitCode::from(EXIT_LAUNCH_FAILED)
}

fn launch(args: &LaunchArgs) -> Result<Infallible, String> {
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Err("no program given".into());
    };
    close_inherited_files();
    if args.session {
        unistd::setsid().map_err(|error| format!("cannot begin a session: {error}"))?;
    }
    if let Some(dir) = &args.own {
        give_to(dir, args.identity).map_err(|error| {
            format!("cannot change the owner of what is in {}: {error}", dir.display())
        })?;
    }
    assume(args.identity)?;
    check_passage(Path::new(program))?;
    if let Some(dir) = &args.own {
        check_passage(&dir.join("."))?;
    }
    if let Some(parent) = args.parent {
        bind_to(parent, args.death_signal)?;
    }
    let error = Command::new(program).args(arguments).exec();
    Err(format!("cannot run {}: {error}", program.display()))
}

/// Pipes that somebody up the line waits on must not stay open as long as a server runs.
fn close_inherited_files() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let open: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // The one that listed the others is in the list, and closed already.
        unistd::close(fd).ok();
    }
}

fn assume(identity: Identity) -> Result<(), String> {
    match identity {
        Identity::Keep => Ok(()),
        Identity::Namespace => enter_namespace(),
        Identity::Nobody => {
            let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
            unistd::setgroups(&[gid])
                .and_then(|()| unistd::setresgid(gid, gid, gid))
                .and_then(|()| unistd::setresuid(uid, uid, uid))
                .map_err(|error| format!("cannot become the user {NOBODY}: {error}"))
        }
    }
}

fn enter_namespace() -> Result<(), String> {
    let (uid, gid) = (unistd::geteuid(), unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|error| format!("user namespaces are refused here: {error}"))?;
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("{ID_INSIDE} {uid} 1")),
        ("/proc/self/gid_map", format!("{ID_INSIDE} {gid} 1")),
    ];
    for (path, content) in maps {
        std::fs::write(path, content).map_err(|error| format!("cannot write {path}: {error}"))?;
    }
    Ok(())
}

/// A state directory may have been used under another identity before.
fn give_to(dir: &Path, identity: Identity) -> std::io::Result<()> {
    let (uid, gid) = match identity {
        Identity::Nobody => (NOBODY, NOBODY),
        Identity::Keep | Identity::Namespace => {
            (unistd::geteuid().as_raw(), unistd::getegid().as_raw())
        }
    };
    let owner = std::fs::symlink_metadata(dir)?;
    if owner.uid() == uid && owner.gid() == gid { Ok(()) } else { chown_tree(dir, uid, gid) }
}

/// The top goes last: what was interrupted is then begun again.
fn chown_tree(path: &Path, uid: u32, gid: u32) -> std::io::Result<()> {
    if std::fs::symlink_metadata(path)?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            chown_tree(&entry?.path(), uid, gid)?;
        }
    }
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))
}

fn check_passage(path: &Path) -> Result<(), String> {
    let mut ancestors: Vec<&Path> = path.ancestors().skip(1).collect();
    ancestors.reverse();
    let barred = ancestors.into_iter().find(|dir| {
        !dir.as_os_str().is_empty() && unistd::access(*dir, AccessFlags::X_OK).is_err()
    });
    match barred {
        None => Ok(()),
        Some(dir) => Err(format!(
            "{} is closed to the user that the server has to run as, who is not root; run ktk as the \
             owner of that directory, or keep the state (--state-dir) and the tools \
             (KTK_TOOLS_DIR) where every user may pass",
            dir.display()
        )),
    }
}

/// The kernel forgets the death signal when the user changes, so this comes after [`assume`].
fn bind_to(parent: i32, death_signal: Signal) -> Result<(), String> {
    set_pdeathsig(death_signal).map_err(|error| format!("cannot set the death signal: {error}"))?;
    if unistd::getppid().as_raw() == parent {
        Ok(())
    } else {
        Err(format!("the parent {parent} is gone already"))
    }
}

#[cfg(test)]
mod tests {
    use clap::{Parser, ValueEnum as _};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        launch: LaunchArgs,
    }

    #[test]
    fn what_follows_the_dashes_belongs_to_the_program() {
        let line = ["ktk", "--parent", "7", "--death-signal", "SIGQUIT", "--identity", "namespace"];
        let program = ["--", "postgres", "--parent", "-D", "a b"];
        let cli = Cli::parse_from(line.into_iter().chain(program));
        assert_eq!(cli.launch.parent, Some(7));
        assert_eq!(cli.launch.death_signal, Signal::SIGQUIT);
        assert_eq!(cli.launch.command, ["postgres", "--parent", "-D", "a b"]);
    }

    #[test]
    fn identities_are_read_as_they_are_written() {
        for identity in Identity::value_variants() {
            assert_eq!(Identity::from_str(identity.name(), false), Ok(*identity));
        }
    }
}
