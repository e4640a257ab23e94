//! One setting changed in the text of the user's file, the rest left as it is: comments, order, blank lines.

use std::{io::Write, path::Path};

use super::{Config, ConfigError};

/// Set `[section] key = value` (TOML) in the settings at `path`; the file is made where there is none. Nothing is
/// written unless the text then says exactly that, and nothing else changes.
///
/// # Errors
/// When the file cannot be read, understood or written; when the change cannot be made by a line.
pub fn set(path: &Path, section: &str, key: &str, value: &str) -> Result<Config, ConfigError> {
    let read = |source| ConfigError::Read { path: path.into(), source };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(read(e)),
    };
    let wrong = |what: String| ConfigError::Value { path: path.into(), what };
    let parse = |text: &str| text.parse::<toml::Table>().map_err(|e| wrong(e.to_string()));
    let mut wanted = parse(&text)?;
    let own = wanted.entry(section).or_insert_with(|| toml::Table::new().into());
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
    if let (Some(own), Some(parsed)) = (own.as_table_mut(), parsed) {
        own.insert(key.to_owned(), parsed);
    }
    let after = changed(&text, section, key, value);
    if parse(&after)? != wanted {
        return Err(wrong(format!("write {section}.{key} = {value} there yourself: it is not a plain line")));
    }
    let config = Config::parse(path, &after)?;
    write(path, &after).map_err(read)?;
    Ok(config)
}

/// The whole file or nothing. A link stays a link.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut copy = tempfile::NamedTempFile::new_in(folder)?;
    copy.write_all(text.as_bytes())?;
    // Made readable as any new file of the user's would be, or as it was.
    let mode = std::fs::metadata(&path).map(|m| m.permissions());
    if let Ok(permissions) = mode {
        copy.as_file().set_permissions(permissions)?;
    }
    copy.as_file().sync_all()?;
    copy.persist(&path)?;
    Ok(())
}

fn changed(text: &str, section: &str, key: &str, value: &str) -> String {
    let line = format!("{key} = {value}");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let heading = lines.iter().position(|l| heading(l) == Some(section));
    let Some(heading_at) = heading else {
        if lines.last().is_some_and(|l| !l.is_empty()) {
            lines.push(String::new());
        }
        lines.extend([format!("[{section}]"), line]);
        return lines.join("\n") + "\n";
    };
    let end = lines[heading_at + 1..].iter().position(|l| heading_any(l)).map_or(lines.len(), |n| heading_at + 1 + n);
    let place = (heading_at + 1..end).find(|i| lines[*i].split('=').next().is_some_and(|k| k.trim() == key));
    match place {
        Some(i) => lines[i] = line,
        None => lines.insert(heading_at + 1, line),
    }
    lines.join("\n") + "\n"
}

fn heading(line: &str) -> Option<&str> {
    let line = line.split('#').next()?.trim();
    line.strip_prefix('[')?.strip_suffix(']').map(str::trim)
}

fn heading_any(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn after(before: Option<&str>) -> Result<String, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deepcuts").join("config.toml");
        if let Some(before) = before {
            std::fs::create_dir(path.parent().unwrap()).unwrap();
            std::fs::write(&path, before).unwrap();
        }
        let config = set(&path, "tags", "auto_write", "true")?;
        assert!(config.tags.auto_write);
        Ok(std::fs::read_to_string(path).unwrap())
    }

    #[test]
    fn only_the_line_changes() {
        assert_eq!(after(None).unwrap(), "[tags]\nauto_write = true\n");
        assert_eq!(
            after(Some("# mine\n[tags] # what is written\npolicy = \"merge\"\n\n[ui]\nmouse = false\n")).unwrap(),
            "# mine\n[tags] # what is written\nauto_write = true\npolicy = \"merge\"\n\n[ui]\nmouse = false\n"
        );
        assert_eq!(
            after(Some("[tags]\n  auto_write=false # not yet\n[ui]\n")).unwrap(),
            "[tags]\nauto_write = true\n[ui]\n"
        );
        assert_eq!(after(Some("[ui]\nmouse = true\n")).unwrap(), "[ui]\nmouse = true\n\n[tags]\nauto_write = true\n");
        assert_eq!(
            after(Some("[tags.names]\nhiphop = \"Rap\"\n")).unwrap(),
            "[tags.names]\nhiphop = \"Rap\"\n\n[tags]\nauto_write = true\n"
        );
    }

    #[test]
    fn what_is_no_plain_line_is_left_alone() {
        let error = after(Some("tags = { policy = \"fill\" }\n")).unwrap_err().to_string();
        assert!(error.contains("config.toml"), "{error}");
        assert!(after(Some("tags.policy = \"fill\"\n")).is_err());
    }
}
