//! What callers meet while NATS is away, and how soon after it is back.

use kantoku_domain::{NamedType, Namespace};
use tokio::time::timeout;

use super::*;
use crate::{
    Blobs, ExecuteError, JetStream, Ledger, Redial, connect,
    testing::{Server, apply_type, id, pretend_server},
};

const DEADLINE: Duration = Duration::from_secs(20);
/// What those have to wait who are told at once.
const AT_ONCE: Duration = Duration::from_millis(250);

async fn ledger(server: &Server) -> (Ledger, Reach) {
    let (client, context) = server.ready().await;
    let store = JetStream::open(client, &context).await.unwrap();
    let reach = store.reach().clone();
    (Ledger::new(Arc::new(store), Arc::new(Blobs::in_memory(Blobs::BYTES_MAX))), reach)
}

#[tokio::test]
async fn while_the_server_is_away_callers_are_told_at_once_and_soon_after_it_is_back_all_is_well() {
    let Some(server) = Server::start().await else { return };
    let (ledger, reach) = ledger(&server).await;
    apply_type(&ledger, 1).await.unwrap();
    let killed = server.kill().await;
    let lost = async {
        while reach.missing().is_none() {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(DEADLINE, lost).await.unwrap();
    // The interruption has to last before it counts.
    assert!(timeout(2 * GRACE, apply_type(&ledger, 2)).await.unwrap().is_err());
    for number in 0..100 {
        let start = Instant::now();
        let error = apply_type(&ledger, 3 + number).await.unwrap_err();
        assert!(start.elapsed() < AT_ONCE, "{number} after {:?}", start.elapsed());
        let ExecuteError::Fault(Fault::Unreachable { .. }) = error else { panic!("{error}") };
    }
    let server = killed.start_again().await;
    let back = Instant::now();
    let stored = loop {
        match apply_type(&ledger, 1_000).await {
            Ok(stored) => break stored,
            Err(error) => assert!(back.elapsed() < DEADLINE, "{error}"),
        }
        sleep(LOOK_EVERY).await;
    };
    let took = back.elapsed();
    eprintln!("{took:?} from the server's return to the first acknowledged command");
    assert!(took < Redial::WAIT_MAX + Duration::from_secs(1), "{took:?}");
    // Nothing that was refused is stored behind anybody's back.
    assert_eq!(stored, 2);
    drop(server);
}

#[tokio::test]
async fn what_was_under_way_when_the_server_died_is_settled_when_it_is_back() {
    const CALLERS: u64 = 50;
    let Some(server) = Server::start().await else { return };
    let (ledger, _) = ledger(&server).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let ledger = ledger.clone();
            tokio::spawn(async move { apply_type(&ledger, number).await })
        })
        .collect();
    let server = server.kill().await.start_again().await;
    let mut stored = 0;
    for caller in callers {
        match timeout(DEADLINE, caller).await.unwrap().unwrap() {
            Ok(_) => stored += 1,
            // Others were faster each time, or it came when the server was away.
            Err(ExecuteError::Conflict { .. } | ExecuteError::Fault(Fault::Unreachable { .. })) => {
            }
            Err(error) => panic!("{error}"),
        }
    }
    let namespace = Namespace::default();
    let loaded = ledger.load::<NamedType>(&namespace, id(1)).await.unwrap();
    assert_eq!(loaded.version, stored, "each is told what became of it");
    drop(server);
}

#[tokio::test]
async fn a_server_that_answers_nothing_is_not_asked_by_everybody() {
    let client = connect(&pretend_server("2.15.1").await, "test", DEADLINE).await.unwrap();
    let reach = Reach::of(client);
    for _ in 1..SILENT_AFTER {
        reach.unanswered();
    }
    reach.answered();
    for _ in 1..SILENT_AFTER {
        reach.unanswered();
    }
    reach.check("test").await.unwrap();
    reach.unanswered();
    let start = Instant::now();
    let fault = reach.check("test").await.unwrap_err();
    assert!(start.elapsed() < AT_ONCE && fault.to_string().contains("answers none"), "{fault}");
}

#[tokio::test]
async fn a_server_that_was_silent_is_found_to_answer_again() {
    let Some(server) = Server::start().await else { return };
    let (ledger, reach) = ledger(&server).await;
    for _ in 0..SILENT_AFTER {
        reach.unanswered();
    }
    assert!(apply_type(&ledger, 1).await.is_err());
    assert!(reach.wait(DEADLINE).await, "somebody asked, and was answered");
    apply_type(&ledger, 2).await.unwrap();
}

/// Fifty clients of servers that hang up on everybody: how often each dials, and when.
#[tokio::test]
async fn fifty_clients_that_wait_dial_seldom_and_not_in_step() {
    const FLEET: usize = 50;
    const STEP: Duration = Duration::from_millis(100);
    // A minute of it: KTK_DIAL_SECONDS=60.
    let seconds = std::env::var("KTK_DIAL_SECONDS").map_or(8, |text| text.parse().unwrap());
    let limit = Duration::from_secs(seconds);
    let start = Instant::now();
    let clients = (0..FLEET).map(|_| async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let dialing = crate::Dialing::start(&crate::Login::default(), &url, "test").await.unwrap();
        let mut dials = Vec::new();
        while let Ok(Ok(_hung_up)) =
            timeout(limit.saturating_sub(start.elapsed()), listener.accept()).await
        {
            dials.push(start.elapsed());
        }
        drop(dialing);
        dials
    });
    let all = futures::future::join_all(clients).await;
    let most = all.iter().map(Vec::len).max().unwrap();
    let mut steps = vec![0; (limit.as_millis() / STEP.as_millis()) as usize + 1];
    for at in all.iter().flatten() {
        steps[(at.as_millis() / STEP.as_millis()) as usize] += 1;
    }
    // At the beginning each dials within the first tenth of a second.
    let in_step = steps[20..].iter().max().unwrap();
    eprintln!(
        "in {seconds} s: at most {most} dials of one client, {in_step} of {FLEET} in {STEP:?}"
    );
    assert!(most <= 3 + (seconds as usize * 10).div_ceil(34), "{most} in {seconds} s");
    // In step there would be all of them; a machine that is busy lets some wait for each other.
    assert!(*in_step <= FLEET / 2, "{in_step}");
    let least = all.iter().map(Vec::len).min().unwrap();
    assert!(least >= seconds as usize / 4, "{least}: each goes on");
}
