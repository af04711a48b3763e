//! Tables in Markdown.

use std::fmt;

/// Rows of text.
#[derive(Clone, Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these columns.
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            head: head.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// One row more.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "| --- |{}", " ---: |".repeat(self.head.len() - 1))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// Nanoseconds in the unit that suits them.
#[must_use]
pub fn duration(nanos: f64) -> String {
    let (value, unit) = match nanos {
        n if n < 1e4 => (n, "ns"),
        n if n < 1e7 => (n / 1e3, "us"),
        n => (n / 1e6, "ms"),
    };
    let digits = if value < 100.0 { 1 } else { 0 };
    format!("{value:.digits$} {unit}")
}
