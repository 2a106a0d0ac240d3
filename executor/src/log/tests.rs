use super::*;

async fn texts(log: &Log) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let batch = log.next_batch().await;
        if batch.is_empty() {
            return texts;
        }
        let bytes: usize = batch.iter().map(|line| line.text.len()).sum();
        assert!(bytes < BATCH_BYTES + Logs::TEXT_BYTES_MAX, "{bytes}");
        texts.extend(batch.into_iter().map(|line| line.text));
    }
}

#[tokio::test]
async fn lines_come_whole_however_they_were_written_and_colours_stay() {
    let (log, mut writer) = Log::open();
    for piece in ["one\r\ntw", "o\n\n", "\u{1b}[31mred\u{1b}[0m \u{e4}", "\nno end"] {
        writer.write(piece.as_bytes());
    }
    drop(writer);
    let expected = ["one", "two", "", "\u{1b}[31mred\u{1b}[0m \u{e4}", "no end"];
    assert_eq!(texts(&log).await, expected);
}

#[tokio::test]
async fn a_line_without_end_is_cut_between_characters() {
    let (log, mut writer) = Log::open();
    let text = format!("a{}", "ä".repeat(Logs::TEXT_BYTES_MAX));
    writer.write(text.as_bytes());
    drop(writer);
    let texts = texts(&log).await;
    assert!(texts.iter().all(|line| line.len() <= Logs::TEXT_BYTES_MAX));
    assert_eq!(texts.concat(), text);
}

#[tokio::test]
async fn what_comes_too_fast_is_left_out_and_counted() {
    let (log, mut writer) = Log::open();
    let lines = 3 * BURST_LINES as usize;
    writer.write("x\n".repeat(lines).as_bytes());
    drop(writer);
    let texts = texts(&log).await;
    let kept = texts.iter().filter(|text| *text == "x").count();
    assert!(kept >= BURST_LINES as usize && kept < lines, "{kept}");
    let left_out: usize = texts
        .iter()
        .filter_map(|text| {
            text.strip_prefix("[kantoku: ")?.split(' ').next()?.parse::<usize>().ok()
        })
        .sum();
    assert_eq!(kept + left_out, lines);
}

#[tokio::test]
async fn what_cannot_be_stored_does_not_pile_up() {
    let (log, mut writer) = Log::open();
    let line = format!("{}\n", "x".repeat(10_000));
    for _ in 0..1_000 {
        writer.write(line.as_bytes());
    }
    let waiting = log.lock().bytes;
    assert!(waiting <= WAITING_BYTES_MAX && waiting > WAITING_BYTES_MAX / 2, "{waiting}");
    drop(writer);
    let texts = texts(&log).await;
    assert!(texts.last().expect("some").contains("were left out"), "the last word");
}
