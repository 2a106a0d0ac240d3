use nix::unistd::Pid;
use tokio::process::Command;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

/// Not a test: the program that the other tests start as the reaper.
#[test]
#[ignore = "is started by other tests"]
fn the_program() {
    assert_eq!(reaper_main(), ExitCode::SUCCESS);
}

/// `marker` is shown by the process list and means nothing.
fn config(marker: &str) -> ReaperConfig {
    let args = ["--exact", "--ignored", "reaper::tests::the_program", marker];
    ReaperConfig::this_program(args)
}

fn orders(grace_ms: u64) -> Orders {
    let boot_id = Uuid::now_v7();
    let dir = std::env::temp_dir().join(format!("kantoku-{boot_id}"));
    Orders { boot_id, grace_ms, dir }
}

fn start(script: &str, boot_id: Uuid) -> Child {
    Command::new("sh")
        .args(["-c", script])
        .env(BOOT_ID, boot_id.to_string())
        .kill_on_drop(true)
        .spawn()
        .expect("started")
}

#[tokio::test]
async fn all_that_bear_the_boot_id_are_ended_and_nobody_else() {
    let (orders, others) = (orders(300), orders(0));
    fs::create_dir_all(orders.dir.join("attempt")).expect("made");
    let reaper = Reaper::start(&config("first"), &orders).await.expect("started");
    let mut polite = start("exec sleep 1000", orders.boot_id);
    let mut stubborn = start("trap '' TERM; while :; do sleep 0.1; done", orders.boot_id);
    let mut distant = start("setsid sh -c 'setsid sleep 1000; :'; :", orders.boot_id);
    let mut stranger = start("exec sleep 1000", others.boot_id);

    let stop = CancellationToken::new();
    stop.cancel();
    let none = ReaperConfig::new("/none", [""; 0]);
    let keep = reaper.keep(&none, &orders, &stop);
    tokio::time::timeout(DEADLINE, keep).await.expect("done in time");
    assert_eq!(proc::started_with(&[format!("{BOOT_ID}={}", orders.boot_id)]), []);
    for child in [&mut polite, &mut stubborn, &mut distant] {
        assert!(!child.wait().await.expect("it was ours").success());
    }
    assert!(stranger.try_wait().expect("it is ours").is_none(), "not its business");
    assert!(!orders.dir.exists(), "the directory is removed");
}

#[tokio::test]
async fn a_reaper_that_is_killed_is_replaced() {
    let (orders, stop) = (orders(10_000), CancellationToken::new());
    let marker = orders.boot_id.to_string();
    let config = config(&marker);
    let reaper = Reaper::start(&config, &orders).await.expect("started");
    let first = reaper.child.id().expect("it runs") as i32;
    let mut bearer = start("exec sleep 1000", orders.boot_id);
    let scenario = async {
        kill(Pid::from_raw(first), Signal::SIGKILL).expect("killed");
        while !reapers(&marker).iter().any(|pid| *pid != first) {
            tokio::task::yield_now().await;
        }
        assert!(bearer.try_wait().expect("it is ours").is_none(), "nothing is ended yet");
        stop.cancel();
        bearer.wait().await.expect("it was ours")
    };
    let both = async { tokio::join!(reaper.keep(&config, &orders, &stop), scenario) };
    let ((), status) = tokio::time::timeout(DEADLINE, both).await.expect("done in time");
    assert!(!status.success(), "ended by the second");
}

/// The processes with `marker` among their arguments.
fn reapers(marker: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("there").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_marked = |pid: &i32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split('\0').any(|argument| argument == marker)
    };
    pids.filter(is_marked).collect()
}
