//! What `ktk` keeps and finds on the user's machine: profiles, plugins, manual pages, completion.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// The home of a user who has nothing yet.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ktk-own-{}-{count}", std::process::id()));
        fs::create_dir_all(path.join("bin")).unwrap();
        Self(path)
    }

    fn ktk(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ktk"));
        command.args(args).current_dir(&self.0).env("HOME", &self.0);
        command.env("KTK_STATE_DIR", self.0.join("stand"));
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.0.join("bin").display()));
        for name in ["KTK_API_URL", "KTK_NAMESPACE", "KTK_CONFIG", "KTK_PROFILE", "KTK_API_KEY"] {
            command.env_remove(name);
        }
        command.env_remove("XDG_CONFIG_HOME");
        command
    }

    fn plugin(&self, name: &str, script: &str) {
        let path = self.0.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Stdout and stderr of a command that ends with `code`.
#[track_caller]
fn ended(mut command: Command, code: i32) -> (String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
    (stdout, stderr)
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_profile() {
    let home = Home::new();
    let set = ["config", "set", "a", "api_url=http://127.0.0.1:1", "output=json"];
    ended(home.ktk(&set), 0);
    ended(home.ktk(&["config", "set", "b", "api_url=http://127.0.0.1:2"]), 0);
    let file = home.0.join(".config/kantoku/config.yaml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let asked = |command: Command| ended(command, 8).1;
    assert!(asked(home.ktk(&["get", "tasks"])).contains("127.0.0.1:1"));
    ended(home.ktk(&["config", "use", "b"]), 0);
    assert!(asked(home.ktk(&["get", "tasks"])).contains("127.0.0.1:2"));
    ended(home.ktk(&["config", "use", "-"]), 0);
    assert!(asked(home.ktk(&["get", "tasks"])).contains("127.0.0.1:1"));
    assert!(asked(home.ktk(&["get", "tasks", "--profile", "b"])).contains("127.0.0.1:2"));
    let mut by_environment = home.ktk(&["get", "tasks"]);
    by_environment.env("KTK_API_URL", "http://127.0.0.1:3");
    assert!(asked(by_environment).contains("127.0.0.1:3"));
    let mut by_flag = home.ktk(&["get", "tasks", "--api-url", "http://127.0.0.1:4"]);
    by_flag.env("KTK_API_URL", "http://127.0.0.1:3");
    assert!(asked(by_flag).contains("127.0.0.1:4"));

    let (stdout, _) = ended(home.ktk(&["version", "--client"]), 0);
    assert!(stdout.starts_with('{'), "the profile's output: {stdout}");
    let (table, _) = ended(home.ktk(&["config", "list"]), 0);
    assert!(table.starts_with("IN USE   NAME   API"), "{table}");
    assert!(table.contains("yes      a      http://127.0.0.1:1"), "{table}");
    ended(home.ktk(&["config", "delete", "a"]), 0);
    ended(home.ktk(&["config", "use", "a"]), 3);
    ended(home.ktk(&["get", "tasks", "--profile", "a"]), 3);
    ended(home.ktk(&["config", "set", "c", "key=s3cret"]), 2);
}

#[test]
fn a_file_of_profiles_that_cannot_be_read_is_named_with_the_place() {
    let home = Home::new();
    let file = home.0.join("mine.yaml");
    fs::write(&file, "profiles:\n  a: [\n").unwrap();
    let mut command = home.ktk(&["get", "tasks"]);
    command.env("KTK_CONFIG", &file);
    let (_, stderr) = ended(command, 1);
    assert!(stderr.contains("mine.yaml holds no profiles that can be read: "), "{stderr}");
    fs::write(&file, "profiles: {a: {api: x}}\n").unwrap();
    let mut command = home.ktk(&["config", "list"]);
    command.env("KTK_CONFIG", &file);
    assert!(ended(command, 1).1.contains("unknown field `api`"));
}

#[test]
fn a_key_is_never_shown() {
    let home = Home::new();
    fs::write(home.0.join("key"), "s3cret-key\n").unwrap();
    ended(home.ktk(&["config", "set", "a", "api_url=http://127.0.0.1:1", "key_file=~/key"]), 0);
    for args in
        [&["config", "view"][..], &["config", "list", "-o", "json"], &["get", "tasks", "-vvv"]]
    {
        let output = home.ktk(args).output().unwrap();
        let all = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains("s3cret-key"), "{args:?}");
    }
}

#[test]
fn a_plugin_is_given_its_words_and_gives_its_exit_code() {
    let home = Home::new();
    home.plugin("ktk-foo", "echo \"$KTK_NAMESPACE $*\"; exit 42");
    home.plugin("ktk-get", "echo never");
    let (stdout, _) = ended(home.ktk(&["-n", "search", "foo", "--bar", "-o", "a b"]), 42);
    assert_eq!(stdout, "search --bar -o a b\n");
    let (stdout, _) = ended(home.ktk(&["get", "--help"]), 0);
    assert!(!stdout.contains("never"), "{stdout}");
    let (list, _) = ended(home.ktk(&["plugin", "list"]), 0);
    let line = |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("get ").ends_with("ktk get"), "{list}");
    assert!(line("foo ").ends_with("/bin/ktk-foo"), "{list}");
    let (_, stderr) = ended(home.ktk(&["gett"]), 2);
    assert!(stderr.contains("no ktk-gett in the PATH; did you mean \"get\"?"), "{stderr}");
    ended(home.ktk(&["../foo"]), 2);
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Home::new();
    let (stdout, _) = ended(home.ktk(&["man", "--dir", "pages"]), 0);
    assert_eq!(stdout, "pages/ktk.1\n");
    for page in ["ktk.1", "ktk-get.1", "ktk-config-use.1"] {
        let text = fs::read_to_string(home.0.join("pages").join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}");
    }
}

#[test]
fn every_shell_has_a_script() {
    let home = Home::new();
    for (shell, word) in [("bash", "complete -"), ("zsh", "#compdef ktk"), ("fish", "complete --")]
    {
        let (script, _) = ended(home.ktk(&["completion", shell]), 0);
        assert!(script.contains(word) && script.contains("KTK_COMPLETE"), "{script}");
    }
    ended(home.ktk(&["completion", "cmd"]), 2);
}
