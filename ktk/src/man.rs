//! `ktk man`

use std::{fs, path::PathBuf};

use crate::{
    error::{CommandError, Exit},
    output::print_line,
};

pub(crate) const EXAMPLES: &str = "Examples:
  ktk man --dir man1             one page per command
  man ./man1/ktk-get.1";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: &Args, command: clap::Command) -> Result<(), CommandError> {
    let written =
        fs::create_dir_all(&args.dir).and_then(|()| clap_mangen::generate_to(command, &args.dir));
    written.map_err(|error| {
        CommandError::new(Exit::Error, format!("cannot write to {}: {error}", args.dir.display()))
    })?;
    print_line(&args.dir.join("ktk.1").display().to_string())
}
