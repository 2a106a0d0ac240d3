//! What the logs promise, on a real server.

use std::time::Duration;

use async_nats::jetstream;

use super::*;
use crate::testing::Server;

const DEADLINE: Duration = Duration::from_secs(20);

fn id(number: u64) -> Id {
    format!("0193b0de-0000-7000-8000-{number:012x}").parse().unwrap()
}

fn address(attempt: u32) -> LogAddress {
    let (context_id, task_id) = (id(1), id(2));
    LogAddress { namespace: Namespace::default(), context_id, task_id, attempt }
}

fn filter(attempt: Option<u32>) -> LogFilter {
    let LogAddress { namespace, context_id, task_id, .. } = address(1);
    LogFilter { namespace, context_id, task_id, attempt }
}

fn line(text: impl Into<String>) -> LogLine {
    let at = Timestamp::from_micros(1_000_001);
    LogLine { at, stream: LogStream::Stderr, text: text.into() }
}

async fn logs(server: &Server) -> Logs {
    let (client, context) = server.ready().await;
    Logs::new(client, context)
}

fn texts(entries: &[LogEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.line.text.as_str()).collect()
}

#[test]
fn the_stored_form_is_a_contract() {
    let stored = messages(&[line("a"), line("\"b\"")]);
    let expected = r#"[{"at":"1970-01-01T00:00:01.000001Z","stream":"stderr","text":"a"},{"at":"1970-01-01T00:00:01.000001Z","stream":"stderr","text":"\"b\""}]"#;
    assert_eq!(stored, [expected]);
    assert!(messages(&[]).is_empty());
}

#[test]
fn what_was_refused_is_known_by_its_remark_and_by_nothing_that_a_process_says() {
    let at = Timestamp::from_micros(1);
    let refusal = LogLine::refusal(at, "attempt 2 [the second] is finished");
    assert_eq!(refusal.refused(), Some("attempt 2 [the second] is finished"));
    let stop = LogLine::stop(at, "enough");
    assert_eq!((stop.refused(), stop.is_end()), (None, true));
    assert_eq!(line(refusal.text).refused(), None, "on stderr");
}

#[test]
fn messages_are_bounded_and_long_lines_are_parted_between_characters() {
    let many = vec![line("x"); Logs::MESSAGE_LINES_MAX + 1];
    assert_eq!(messages(&many).len(), 2);

    let long = "ä".repeat(Logs::TEXT_BYTES_MAX);
    let stored = messages(&[line(format!("x{long}")), line("\u{1}".repeat(100_000))]);
    let mut text = String::new();
    for message in &stored {
        assert!(message.len() <= 6 * Logs::TEXT_BYTES_MAX + 1_000, "{}", message.len());
        let lines: Vec<LogLine> = serde_json::from_slice(message).unwrap();
        assert!(lines.iter().all(|line| line.text.len() <= Logs::TEXT_BYTES_MAX));
        text.extend(lines.into_iter().map(|line| line.text));
    }
    assert_eq!(text, format!("x{long}{}", "\u{1}".repeat(100_000)));
}

#[tokio::test]
async fn lines_are_read_in_pages_of_whole_messages_and_without_a_consumer() {
    let Some(server) = Server::start().await else { return };
    let logs = logs(&server).await;
    for attempt in [1, 2, 1] {
        let lines = [line(format!("{attempt}a")), line(format!("{attempt}b"))];
        logs.append(&address(attempt), &lines).await.unwrap();
    }
    let page = logs.read(&filter(None), 0, 3).await.unwrap();
    assert_eq!(texts(&page.lines), ["1a", "1b", "2a", "2b"]);
    assert_eq!(page.lines.iter().map(|entry| entry.position).collect::<Vec<_>>(), [1, 1, 2, 2]);
    assert_eq!(page.next_after, Some(2));
    let rest = logs.read(&filter(None), 2, 3).await.unwrap();
    assert_eq!((texts(&rest.lines), rest.next_after), (vec!["1a", "1b"], None));
    let second = logs.read(&filter(Some(2)), 0, 100).await.unwrap();
    assert_eq!((texts(&second.lines), second.next_after), (vec!["2a", "2b"], None));
    assert_eq!(logs.read(&filter(Some(3)), 0, 100).await.unwrap(), LogPage::default());

    let stream = logs.context.get_stream(subject::LOGS).await.unwrap();
    assert_eq!(stream.cached_info().state.consumer_count, 0);
}

#[tokio::test]
async fn the_last_message_of_an_attempt_is_read_without_the_others() {
    let Some(server) = Server::start().await else { return };
    let logs = logs(&server).await;
    assert_eq!(logs.last(&address(1)).await.unwrap(), []);
    for (attempt, text) in [(1, "a"), (1, "b"), (2, "c")] {
        logs.append(&address(attempt), &[line(text)]).await.unwrap();
    }
    assert_eq!(texts(&logs.last(&address(1)).await.unwrap()), ["b"]);
    assert_eq!(logs.last(&address(2)).await.unwrap()[0].attempt, 2);
}

#[tokio::test]
async fn a_page_needs_as_many_requests_as_it_takes() {
    let Some(server) = Server::start().await else { return };
    let logs = logs(&server).await;
    let count = 2 * PAGE_MESSAGES + 3;
    for n in 0..count {
        logs.append(&address(1), &[line(n.to_string())]).await.unwrap();
    }
    let page = logs.read(&filter(Some(1)), 0, count).await.unwrap();
    assert_eq!((page.lines.len(), page.next_after), (count, None));
    let page = logs.read(&filter(Some(1)), 0, PAGE_MESSAGES).await.unwrap();
    assert_eq!((page.lines.len(), page.next_after), (PAGE_MESSAGES, Some(PAGE_MESSAGES as u64)));
}

/// The next `count` lines.
async fn take(
    lines: &mut (impl Stream<Item = Result<LogEntry, Fault>> + Unpin),
    count: usize,
) -> Vec<String> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let next = tokio::time::timeout(DEADLINE, lines.next()).await.expect("a line in time");
        // Faults while the server is away.
        taken.extend(next.expect("it goes on").map(|entry| entry.line.text));
    }
    taken
}

#[tokio::test]
async fn following_misses_nothing_and_repeats_nothing() {
    let Some(server) = Server::start().await else { return };
    let logs = logs(&server).await;
    logs.append(&address(1), &[line("0")]).await.unwrap();
    let mut lines = logs.follow(filter(None), 0).await.unwrap();
    let writing = async {
        for n in 1..200 {
            logs.append(&address(1 + n % 2), &[line(n.to_string())]).await.unwrap();
        }
    };
    let (taken, ()) = tokio::join!(take(&mut lines, 200), writing);
    assert_eq!(taken, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_said_while_the_follower_was_cut_off_comes_when_it_is_back() {
    let Some(server) = Server::start().await else { return };
    let logs = logs(&server).await;
    let mut lines = logs.follow(filter(None), 0).await.unwrap();
    logs.append(&address(1), &[line("before")]).await.unwrap();
    assert_eq!(take(&mut lines, 1).await, ["before"]);

    let server = server.kill().await;
    let server = server.start_again().await;
    // Another says it before the follower is back.
    let client = async_nats::connect(server.url()).await.unwrap();
    let other = Logs::new(client.clone(), jetstream::new(client));
    other.append(&address(1), &[line("meanwhile")]).await.unwrap();
    assert_eq!(take(&mut lines, 1).await, ["meanwhile"]);
    other.append(&address(1), &[line("after")]).await.unwrap();
    assert_eq!(take(&mut lines, 1).await, ["after"]);
}
