//! The forms in which a text is still told.

use std::{collections::BTreeSet, fmt::Write as _};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use kantoku_domain::SecretValue;

/// How many lines are looked for one by one: each takes its time with every byte of a log.
const LINES_MAX: usize = 100;

/// `value` itself; as JSON and programs quote it; percent-encoded; in base64, wherever in a longer
/// text it stands; in hexadecimal; and each of its first lines, where it has several. Without lines that
/// are too short to be told from chance, or say what follows, as those of PEM do.
pub(super) fn of(value: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    let lines = value
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= SecretValue::BYTES_MIN && !line.starts_with("-----"));
    forms.extend(lines.take(LINES_MAX).map(str::to_owned));
    forms.insert(value.to_owned());
    forms.extend(quoted(value));
    forms.extend(percent(value));
    forms.extend(base64(value.as_bytes()));
    let hex = value.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        hex
    });
    forms.insert(hex.to_uppercase());
    forms.insert(hex);
    forms.into_iter().map(String::into_bytes).collect()
}

/// As JSON writes it, with or without characters beyond ASCII and slashes escaped, and as Rust does.
fn quoted(text: &str) -> [String; 5] {
    let json = serde_json::to_string(text).expect("a text is JSON");
    let json = json[1..json.len() - 1].to_owned();
    let mut ascii = String::new();
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(ascii, "\\u{unit:04x}").expect("writing to a string cannot fail");
            }
        }
    }
    let rust = format!("{text:?}");
    let rust = rust[1..rust.len() - 1].to_owned();
    let slashes = |text: &str| text.replace('/', "\\/");
    [slashes(&json), slashes(&ascii), json, ascii, rust]
}

/// As URLs and forms write it: what is left as it is differs, and so do hexadecimal digits and spaces.
fn percent(text: &str) -> Vec<String> {
    const LEFT: [&str; 5] = ["", "-._~", "*-._", "-._~/", "-_.!~*'()"];
    let encode = |left: &str, is_upper: bool, plus: bool| {
        let mut encoded = String::new();
        for byte in text.bytes() {
            match byte {
                b' ' if plus => encoded.push('+'),
                _ if byte.is_ascii_alphanumeric() || left.contains(char::from(byte)) => {
                    encoded.push(char::from(byte));
                }
                _ if is_upper => write!(encoded, "%{byte:02X}").expect("writing cannot fail"),
                _ => write!(encoded, "%{byte:02x}").expect("writing cannot fail"),
            }
        }
        encoded
    };
    let mut forms = Vec::new();
    for left in LEFT {
        for is_upper in [true, false] {
            forms.extend([encode(left, is_upper, false), encode(left, is_upper, true)]);
        }
    }
    forms
}

/// The characters that depend on `bytes` alone, wherever they stand in what is encoded.
fn base64(bytes: &[u8]) -> impl Iterator<Item = String> {
    let of = |before: usize| {
        let text = [&vec![0; before], bytes].concat();
        // Six bits are a character: those that bits of others share are left out.
        let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        let cut = |encoded: String| encoded[from..to].to_owned();
        [cut(STANDARD_NO_PAD.encode(&text)), cut(URL_SAFE_NO_PAD.encode(&text))]
    };
    [of(0), of(1), of(2)].into_iter().flatten()
}
