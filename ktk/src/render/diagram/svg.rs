//! As an SVG document that stands by itself.

use std::fmt::Write as _;

use kantoku_api::contract::Place;

use super::{Diagram, Link, Node};

const BOX_WIDTH: f64 = 200.0;
const BOX_HEIGHT: f64 = 56.0;
const COLUMN: f64 = 270.0;
const ROW: f64 = 76.0;
const MARGIN: f64 = 24.0;
/// Room for the title.
const HEAD: f64 = 40.0;
/// What fits into a box.
const LABEL_LENGTH_MAX: usize = 26;

/// Boxes from left to right, joined by lines.
pub(crate) fn svg(diagram: &Diagram) -> String {
    let (width, height) = size(diagram);
    let title = escaped(&diagram.title);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"system-ui, sans-serif\" \
         font-size=\"13\">\n<title>{title}</title>\n\
         <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#667085\"/></marker>\
         </defs>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"{MARGIN}\" y=\"28\" font-weight=\"600\" fill=\"#101828\">{title}</text>\n"
    );
    for edge in &diagram.edges {
        let dashes = match edge.link {
            Link::Waits => "",
            Link::Spawned => " stroke-dasharray=\"5 4\"",
        };
        // Writing to a text cannot fail.
        writeln!(
            text,
            "<path d=\"{}\" fill=\"none\" stroke=\"#667085\"{dashes} marker-end=\"url(#head)\"/>",
            line(&edge.path)
        )
        .ok();
    }
    for node in &diagram.nodes {
        text.push_str(&drawn(node));
    }
    text.push_str("</svg>\n");
    text
}

fn size(laid: &Diagram) -> (f64, f64) {
    let width = (laid.layers.max(1) - 1) as f64 * COLUMN + BOX_WIDTH;
    let height = (laid.rows.max(1) - 1) as f64 * ROW + BOX_HEIGHT;
    (width + 2.0 * MARGIN, HEAD + height + MARGIN)
}

/// The left end of a place, halfway down.
fn point(place: Place) -> (f64, f64) {
    (MARGIN + place.layer as f64 * COLUMN, HEAD + place.row * ROW + BOX_HEIGHT / 2.0)
}

/// From the right side of the first place through the others to the left side of the last.
fn line(path: &[Place]) -> String {
    let mut text = String::new();
    let mut before: Option<(f64, f64)> = None;
    for (at, place) in path.iter().enumerate() {
        let (x, y) = point(*place);
        if let Some((from_x, from_y)) = before {
            let middle = f64::midpoint(from_x, x);
            write!(text, "C{middle} {from_y} {middle} {y} {x} {y}").ok();
        } else {
            write!(text, "M{} {y}", x + BOX_WIDTH).ok();
        }
        let is_bend = at > 0 && at + 1 < path.len();
        if is_bend {
            write!(text, "H{}", x + BOX_WIDTH).ok();
        }
        before = Some((x + BOX_WIDTH, y));
    }
    text
}

fn drawn(node: &Node) -> String {
    let (x, y) = point(node.place);
    let top = y - BOX_HEIGHT / 2.0;
    let (fill, line) = node.state.colours();
    let (name, specification) = (escaped(&node.name), escaped(&node.specification));
    let status = node.status();
    let left = x + 12.0;
    format!(
        "<g><title>{name}: {status}, {specification}</title>\
         <rect x=\"{x}\" y=\"{top}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"8\" \
         fill=\"{fill}\" stroke=\"{line}\" stroke-width=\"1.5\"/>\
         <text x=\"{left}\" y=\"{}\" font-weight=\"600\" fill=\"#101828\">{}</text>\
         <text x=\"{left}\" y=\"{}\" fill=\"{line}\">{status}</text></g>\n",
        top + 23.0,
        escaped(&console::truncate_str(&node.name, LABEL_LENGTH_MAX, "…")),
        top + 43.0,
    )
}

/// Nothing that XML would take for markup, or for no text at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}
