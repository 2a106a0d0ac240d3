//! Text as HTML.

/// With what has a meaning in HTML written otherwise.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The same, with what stands between backticks as code.
pub(super) fn inline(text: &str) -> String {
    let escaped = escaped(text);
    let mut parts = escaped.split('`');
    let mut html = parts.next().unwrap_or_default().to_owned();
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(rest) => html.extend(["<code>", code, "</code>", rest]),
            None => html.extend(["`", code]),
        }
    }
    html
}

/// Paragraphs with empty lines between them.
pub(super) fn paragraphs(text: &str) -> String {
    let texts = text.split("\n\n").filter(|text| !text.is_empty());
    texts.fold(String::new(), |mut html, text| {
        html.extend(["<p>", inline(text).as_str(), "</p>\n"]);
        html
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_become_markup() {
        assert_eq!(inline("a < `b` & `c"), "a &lt; <code>b</code> &amp; `c");
        assert_eq!(paragraphs("a\n\nb"), "<p>a</p>\n<p>b</p>\n");
    }
}
