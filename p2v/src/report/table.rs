//! Columns that line up.

/// Rows of cells; numbers go to the right edge of their column.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    /// A table with a heading; `right` names the columns that are flush right.
    pub(crate) fn new(heading: &[&str], right: &[usize]) -> Self {
        Table {
            rows: vec![heading.iter().map(|cell| (*cell).to_owned()).collect()],
            right: right.to_vec(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table, each line indented by two spaces and ended.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, after) = if self.right.contains(&column) {
                    (pad.as_str(), "")
                } else {
                    ("", pad.as_str())
                };
                line = format!("{line} {before}{cell}{after} ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["name", "size"], &[1]);
        table.row(vec!["a".into(), "12".into()]);
        table.row(vec!["longer".into(), "1234567".into()]);
        assert_eq!(
            table.text(),
            "  name       size\n  a            12\n  longer  1234567\n"
        );
    }
}
