use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn redactor(secrets: &[(&str, &str)]) -> Redactor {
    let secret = |(name, value): &(&str, &str)| {
        (name.parse().expect("a name"), SecretValue::new(*value).expect("a secret"))
    };
    Redactor::new(&secrets.iter().map(secret).collect::<Vec<_>>())
}

/// What comes out of `pieces`.
fn streamed<'a>(redactor: &Redactor, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut stream = redactor.stream();
    let mut clear = Vec::new();
    for piece in pieces {
        clear.extend_from_slice(stream.push(piece));
    }
    clear.extend_from_slice(stream.end());
    String::from_utf8(clear).expect("whole characters")
}

#[test]
fn a_secret_is_recognised_in_every_form() {
    let value = "hünt\"er/2 + \\x\n&Zz9";
    let redactor = redactor(&[("db", value)]);
    let json = serde_json::to_string(value).expect("JSON");
    let forms = [
        value.to_owned(),
        json.clone(),
        json.replace('ü', "\\u00fc").replace('/', "\\/"),
        format!("{value:?}"),
        "h%C3%BCnt%22er%2F2%20%2B%20%5Cx%0A%26Zz9".to_owned(),
        "h%c3%bcnt%22er%2f2+%2b+%5cx%0a%26Zz9".to_owned(),
        STANDARD.encode(value),
        STANDARD.encode(format!("user:{value}")),
        STANDARD.encode(format!("admin:{value}, and more")),
        STANDARD.encode(format!("me:{value}")).replace('+', "-").replace('/', "_"),
        value.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes()).map(char::from).collect(),
    ];
    for form in forms {
        let text = redactor.text(format!("before {form} after"));
        assert!(text.starts_with("before ") && text.ends_with(" after"), "{form}: {text}");
        assert!(text.contains("[secret db]"), "{form}: {text}");
        assert!(redactor.found_in(&json!({"a": [{ form.as_str(): 1 }]})).is_some(), "{form}");
    }
    assert_eq!(redactor.text("hünt er 2".into()), "hünt er 2");
}

#[test]
fn the_lines_of_a_secret_are_kept_back_one_by_one() {
    let value = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\nAA==\n-----END KEY-----";
    let redactor = redactor(&[("pem", value)]);
    let text = "> -----BEGIN KEY-----\n> MIIEvQIBADANBg\r\n> kqhkiG9w0BAQEF\n> AA==";
    let expected = "> -----BEGIN KEY-----\n> [secret pem]\r\n> [secret pem]\n> AA==";
    assert_eq!(redactor.text(text.into()), expected);
}

#[test]
fn secrets_side_by_side_and_within_each_other_are_all_kept_back() {
    let redactor = redactor(&[("a", "aaaaaaaa"), ("b", "abcdefgh"), ("c", "aaaaaaaaabcd")]);
    assert_eq!(redactor.text("x aaaaaaaaaaaaa y".into()), "x [secret a] y");
    assert_eq!(redactor.text("aaaaaaaaabcdefgh".into()), "[secret a][secret c][secret b]");
    assert_eq!(redactor.text("abcdefgabcdefgh".into()), "abcdefg[secret b]");
}

#[test]
fn an_end_that_may_have_been_cut_within_a_secret_is_kept_back() {
    let redactor = redactor(&[("a", "correct horse battery")]);
    assert_eq!(redactor.text("it is correct horse".into()), "it is [secret a]");
    assert_eq!(redactor.text("it is correct".into()), "it is correct");
}

#[test]
fn a_result_that_tells_a_secret_is_refused_wherever_it_does() {
    let redactor = redactor(&[("pin", "12345678"), ("token", "s3cr3t-t0ken")]);
    let read = |value: Value| ResultDocument::read(value).expect("a result");
    for (value, place) in [
        (json!({"a": {"b": ["is s3cr3t-t0ken."]}}), "output \"a\""),
        (json!({"a": 12_345_678}), "output \"a\""),
        (json!({"a": {"x-s3cr3t-t0ken": 1}}), "output \"a\""),
        (json!({"outputs": {}, "result": ["12345678"]}), "result"),
        (json!({"delegate": {"a": "s3cr3t-t0ken.x"}}), "delegate"),
        (json!({"spawn": [{"key": "k", "specification": "s3cr3t-t0ken"}]}), "child \"k\""),
        (
            json!({"spawn": [{"key": "k", "specification": "s", "inputs": {"i": "s3cr3t-t0ken"}}]}),
            "child \"k\"",
        ),
    ] {
        let failure = redactor.check(&read(value)).expect_err(place);
        assert!(failure.message.starts_with(place) && !failure.retryable, "{failure:?}");
    }
    assert_eq!(redactor.check(&read(json!({"a": "s3cr3t", "b": 1_234_567}))), Ok(()));
    assert_eq!(Redactor::default().check(&read(json!({"a": "s3cr3t-t0ken"}))), Ok(()));
}

proptest! {
    // Few characters, so that beginnings of secrets and overlaps are frequent.
    #[test]
    fn however_a_text_is_cut_the_same_comes_out_and_no_secret(
        values in prop::collection::vec("[ab\"\\\\ä ]{8,12}", 1..4),
        texts in prop::collection::vec(("[ab\"\\\\ä ]{0,9}", any::<prop::sample::Index>()), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let names = ["n0", "n1", "n2"];
        let secrets: Vec<_> =
            names.into_iter().zip(values.iter().map(String::as_str)).collect();
        let redactor = redactor(&secrets);
        // Of each value, as it is and as JSON: whole, or a beginning.
        let mut text = String::new();
        for (filler, index) in &texts {
            let value = &values[index.index(values.len())];
            let quoted = format!("{value:?}");
            let chars = index.index(value.chars().count() + 1);
            text.extend([filler, value, &quoted].into_iter().map(String::as_str));
            text.extend(value.chars().take(chars));
        }
        let whole = redactor.text(text.clone());
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let pieces = at.windows(2).map(|ends| &text.as_bytes()[ends[0]..ends[1]]);
        prop_assert_eq!(&streamed(&redactor, pieces), &whole);
        let bytes = text.as_bytes().chunks(1);
        prop_assert_eq!(&streamed(&redactor, bytes), &whole);
        for value in &values {
            prop_assert!(!whole.contains(value.as_str()), "{:?} in {:?}", value, whole);
        }
    }
}
