//! A report as blocks, written once as Markdown (figures beside it) and once as HTML (figures inside it).
//!
//! Names of tracks and artists come from files: control characters go, and what means something to Markdown or HTML
//! is escaped.

use std::fmt::Write;

/// A part of a report.
pub(super) enum Block {
    Heading(u8, String),
    Text(String),
    Table(Vec<String>, Vec<Vec<String>>),
    List(Vec<String>),
    /// File name (without folder), SVG, caption.
    Figure(String, String, String),
}

/// Text from a file, safe to show.
pub(super) fn plain(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(|&c| !odd(c)).take(200).collect()
}

fn for_markdown(text: &str) -> String {
    let mut out = String::new();
    for c in plain_long(text).chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

fn for_html(text: &str) -> String {
    plain_long(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn plain_long(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The Markdown form; figures are links into `figures/`.
pub(super) fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        match block {
            Block::Heading(level, text) => {
                let _ = writeln!(out, "{} {}\n", "#".repeat(usize::from(*level)), for_markdown(text));
            }
            Block::Text(text) => {
                let _ = writeln!(out, "{}\n", for_markdown(text));
            }
            Block::Table(head, rows) => {
                let line = |cells: &[String]| {
                    let cells: Vec<String> = cells.iter().map(|c| for_markdown(c)).collect();
                    format!("| {} |", cells.join(" | "))
                };
                let _ = writeln!(out, "{}\n|{}", line(head), "---|".repeat(head.len()));
                rows.iter().for_each(|row| {
                    let _ = writeln!(out, "{}", line(row));
                });
                out.push('\n');
            }
            Block::List(items) => {
                items.iter().for_each(|item| {
                    let _ = writeln!(out, "- {}", for_markdown(item));
                });
                out.push('\n');
            }
            Block::Figure(file, _, caption) => {
                let _ = writeln!(out, "![{}](figures/{file})\n", for_markdown(caption));
            }
        }
    }
    out
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;\
color:#222;background:#fff}table{border-collapse:collapse;margin:1rem 0}th,td{border:1px solid #ccc;padding:.25rem \
.6rem;text-align:left}th{background:#f2f2f2}figure{margin:1.5rem 0}figcaption{color:#555}svg{max-width:100%;height:auto}";

/// The HTML form: one file, nothing to load.
pub(super) fn html(title: &str, blocks: &[Block]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head><body>\n",
        for_html(title)
    );
    for block in blocks {
        let _ = match block {
            Block::Heading(level, text) => writeln!(out, "<h{level}>{}</h{level}>", for_html(text)),
            Block::Text(text) => writeln!(out, "<p>{}</p>", for_html(text)),
            Block::Table(head, rows) => {
                let cells = |tag: &str, row: &[String]| {
                    row.iter().map(|c| format!("<{tag}>{}</{tag}>", for_html(c))).collect::<String>()
                };
                let body: String = rows.iter().map(|r| format!("<tr>{}</tr>\n", cells("td", r))).collect();
                writeln!(out, "<table><tr>{}</tr>\n{body}</table>", cells("th", head))
            }
            Block::List(items) => {
                let items: String = items.iter().map(|i| format!("<li>{}</li>\n", for_html(i))).collect();
                writeln!(out, "<ul>{items}</ul>")
            }
            Block::Figure(_, svg, caption) => {
                writeln!(out, "<figure>{svg}<figcaption>{}</figcaption></figure>", for_html(caption))
            }
        };
    }
    out.push_str("</body></html>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_files_cannot_speak_html_or_terminal() {
        let evil = "\u{1b}[31m<script>alert(1)</script>|\u{202e}x";
        let blocks = [Block::Table(vec!["track".into()], vec![vec![plain(evil)]])];
        let page = html("t", &blocks);
        assert!(!page.contains("<script>") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
        let text = markdown(&blocks);
        assert!(!text.contains("<script>") && text.contains("\\|"));
    }
}
