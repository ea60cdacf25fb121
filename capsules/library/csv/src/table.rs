//! A header and its rows, read and written by RFC 4180: quoted fields, doubled quotes, line ends
//! inside quotes, CRLF out, and either line end in. A row of another width is an error with its
//! line, never silently padded.

use crate::{Format, Place, TableError};

pub(crate) type Row = Vec<String>;

pub(crate) struct Table {
    pub(crate) header: Row,
    pub(crate) rows: Vec<Row>,
}

/// What the caller may say about the text.
pub(crate) struct Options {
    delimiter: u8,
    pub(crate) typed: bool,
}

impl Options {
    pub(crate) fn parse(format: Option<Format>) -> Result<Self, TableError> {
        let Some(format) = format else { return Ok(Self { delimiter: b',', typed: true }) };
        let delimiter = match format.delimiter.as_deref().map(str::as_bytes) {
            None => b',',
            Some([one]) if one.is_ascii() && !b"\"\r\n".contains(one) => *one,
            Some(_) => return Err(TableError::BadDelimiter(format.delimiter.unwrap_or_default())),
        };
        Ok(Self { delimiter, typed: format.typed.unwrap_or(true) })
    }
}

impl Table {
    pub(crate) fn read(text: &str, options: &Options) -> Result<Self, TableError> {
        // A byte order mark is common in files from spreadsheets and is not part of the first name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(options.delimiter)
            .has_headers(true)
            .from_reader(text.as_bytes());
        let header: Row = reader.headers().map_err(malformed)?.iter().map(str::to_owned).collect();
        check_header(&header)?;
        let mut rows = Vec::new();
        for record in reader.records() {
            rows.push(record.map_err(malformed)?.iter().map(str::to_owned).collect());
        }
        Ok(Self { header, rows })
    }

    pub(crate) fn write(&self, options: &Options) -> Result<String, TableError> {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(options.delimiter)
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        writer.write_record(&self.header).map_err(malformed)?;
        for row in &self.rows {
            writer.write_record(row).map_err(malformed)?;
        }
        let bytes = writer.into_inner().map_err(|e| internal(&e.to_string()))?;
        String::from_utf8(bytes).map_err(|e| internal(&e.to_string()))
    }

    /// The position of a column, or the names that there are.
    pub(crate) fn column(&self, name: &str) -> Result<usize, TableError> {
        self.header
            .iter()
            .position(|known| known == name)
            .ok_or_else(|| TableError::UnknownColumn(self.header.clone()))
    }
}

/// One cell; rows are as wide as the header by construction.
pub(crate) fn cell(row: &[String], at: usize) -> &str {
    row.get(at).map_or("", String::as_str)
}

fn check_header(header: &Row) -> Result<(), TableError> {
    for (at, name) in header.iter().enumerate() {
        if header.iter().take(at).any(|earlier| earlier == name) {
            let reason = "two columns have the same name".to_owned();
            return Err(TableError::Malformed(Place {
                line: 1,
                column: Some(name.clone()),
                reason,
            }));
        }
    }
    Ok(())
}

fn malformed(error: csv::Error) -> TableError {
    let line = error.position().map_or(0, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the header has {expected_len}")
        }
        other => format!("{other:?}"),
    };
    TableError::Malformed(Place { line, column: None, reason })
}

fn internal(reason: &str) -> TableError {
    TableError::Malformed(Place { line: 0, column: None, reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Options {
        Options { delimiter: b',', typed: true }
    }

    #[test]
    fn quotes_commas_and_line_ends_inside_fields_survive_a_round_trip() {
        let text = "name,note\r\n\"Ann \"\"A\"\"\",\"one,\r\ntwo\"\r\n";
        let table = Table::read(text, &plain()).unwrap();
        assert_eq!(table.rows, [["Ann \"A\"", "one,\r\ntwo"]]);
        assert_eq!(table.write(&plain()).unwrap(), text);
    }

    #[test]
    fn a_row_of_another_width_names_its_line() {
        let Err(TableError::Malformed(place)) = Table::read("a,b\n1,2\n3\n", &plain()) else {
            panic!("a short row must be refused")
        };
        assert_eq!((place.line, place.reason.as_str()), (3, "1 fields where the header has 2"));
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_name() {
        assert_eq!(Table::read("\u{feff}a\n1\n", &plain()).unwrap().header, ["a"]);
    }

    #[test]
    fn a_header_with_the_same_name_twice_is_refused() {
        assert!(matches!(Table::read("a,a\n", &plain()), Err(TableError::Malformed(_))));
    }

    #[test]
    fn a_delimiter_must_be_one_plain_character() {
        for bad in ["", "ab", "\"", "\n", "é"] {
            let format = Format { delimiter: Some(bad.to_owned()), typed: None };
            assert!(Options::parse(Some(format)).is_err(), "{bad:?}");
        }
    }
}
