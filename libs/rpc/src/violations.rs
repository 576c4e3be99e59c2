//! Collects everything that is wrong with a request, so that one answer names it all.
//!
//! ```
//! use fealty_rpc::violations::Violations;
//! use fealty_rpc::fields;
//!
//! # fn parse(name: &str, page_size: i32) -> Result<(String, i32), fealty_rpc::errors::ApiError> {
//! let mut v = Violations::default();
//! let name = v.check("name", fields::text(name, 1..=100));
//! let page_size = v.check("page_size", fields::page_size(page_size, 50, 500));
//! v.finish_with(|| Some((name?, page_size?)))
//! # }
//! # assert!(parse("", -1).unwrap_err().violations().len() == 2);
//! ```

use std::fmt;

use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use crate::errors::ApiError;

/// Most violations in one answer: enough for any honest request, and an answer that a hostile one cannot make large.
pub const VIOLATIONS_MAX: usize = 50;

/// Most bytes of all violations together. They travel in one HTTP header, base64 makes 4 bytes of 3, and common clients
/// refuse header lists over 8 KiB.
const VIOLATIONS_LENGTH_MAX_BYTES: usize = 4_000;

/// One thing that is wrong with one field: what `google.rpc.BadRequest` carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field's path as in the proto: `identifiers[2].phone.number`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub description: String,
}

/// What is wrong with a field; where the field lies is the collector's to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The field itself.
    Here(String),
    /// Things below it, each with its path from here.
    Below(Vec<FieldProblem>),
}

impl Problem {
    /// A problem of the field itself.
    #[must_use]
    pub fn new(description: impl Into<String>) -> Self {
        Self::Here(description.into())
    }

    /// The field must be there, and is not.
    #[must_use]
    pub fn required() -> Self {
        Self::new("is required")
    }
}

impl<T: fmt::Display> From<T> for Problem {
    fn from(problem: T) -> Self {
        Self::Here(problem.to_string())
    }
}

/// Collects violations under a path.
#[derive(Debug, Default)]
pub struct Violations {
    prefix: Vec<String>,
    found: Vec<FieldProblem>,
    found_bytes: usize,
    /// How many there were, also those past the bounds.
    count: usize,
}

impl Violations {
    /// Notes the problem, if there is one; else hands on the value.
    pub fn check<T, P: Into<Problem>>(&mut self, field: &str, parsed: Result<T, P>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(problem) => {
                self.note(field, problem.into());
                None
            }
        }
    }

    /// The field's value if it is asked for; notes what is wrong with it.
    pub fn check_if<T, P: Into<Problem>>(
        &mut self,
        is_asked: bool,
        field: &str,
        parse: impl FnOnce() -> Result<T, P>,
    ) -> Option<T> {
        if is_asked {
            self.check(field, parse())
        } else {
            None
        }
    }

    /// Notes a problem of a field.
    pub fn add(&mut self, field: &str, description: impl Into<String>) {
        self.note(field, Problem::Here(description.into()));
    }

    /// Notes a problem of a field when `holds` is false.
    pub fn require(&mut self, holds: bool, field: &str, description: impl Into<String>) {
        if !holds {
            self.add(field, description);
        }
    }

    /// Parses what lies below `field`.
    pub fn within<T>(&mut self, field: &str, parse: impl FnOnce(&mut Self) -> T) -> T {
        self.prefix.push(field.to_owned());
        let parsed = parse(self);
        self.prefix.pop();
        parsed
    }

    /// Parses what lies below `field[index]`.
    pub fn within_item<T>(&mut self, field: &str, index: usize, parse: impl FnOnce(&mut Self) -> T) -> T {
        self.within(&format!("{field}[{index}]"), parse)
    }

    /// Parses each item of a repeated field. None when one of them is wrong.
    pub fn each<I, T>(
        &mut self,
        field: &str,
        items: impl IntoIterator<Item = I>,
        mut parse: impl FnMut(&mut Self, I) -> Option<T>,
    ) -> Option<Vec<T>> {
        let parsed: Vec<Option<T>> = items
            .into_iter()
            .enumerate()
            .map(|(index, item)| self.within_item(field, index, |v| parse(v, item)))
            .collect();
        parsed.into_iter().collect()
    }

    /// Parses a message that must be set.
    pub fn message<M, T>(
        &mut self,
        field: &str,
        message: Option<M>,
        parse: impl FnOnce(&mut Self, M) -> Option<T>,
    ) -> Option<T> {
        let message = self.check(field, message.ok_or_else(Problem::required))?;
        self.within(field, |v| parse(v, message))
    }

    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of it as one refusal, if there was anything.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.into_error())
        }
    }

    /// Builds the command when nothing was wrong. `build` sees only fields that parsed; should it still answer None,
    /// a parser failed without saying so, which is the server's fault.
    pub fn finish_with<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, ApiError> {
        if !self.is_empty() {
            return Err(self.into_error());
        }
        build().ok_or_else(|| ApiError::internal_message("a field failed to parse and named no violation"))
    }

    /// The same for a parser of a part of a message, whose paths start there.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        Problem::Below(self.found)
    }

    fn note(&mut self, field: &str, problem: Problem) {
        match problem {
            Problem::Here(description) => self.push(self.path(field), description),
            Problem::Below(problems) => {
                for problem in problems {
                    self.push(
                        self.path(&format!("{field}.{}", problem.field)),
                        problem.description,
                    );
                }
            }
        }
    }

    fn push(&mut self, field: String, description: String) {
        self.count += 1;
        let length = field.len() + description.len();
        if self.found.len() < VIOLATIONS_MAX && self.found_bytes + length <= VIOLATIONS_LENGTH_MAX_BYTES {
            self.found_bytes += length;
            self.found.push(FieldProblem { field, description });
        }
    }

    fn path(&self, field: &str) -> String {
        self.prefix
            .iter()
            .map(String::as_str)
            .chain([field])
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(".")
    }

    fn into_error(self) -> ApiError {
        let template = if self.count == 1 {
            "{field_count} field is not valid."
        } else {
            "{field_count} fields are not valid."
        };
        ApiError::new(Code::InvalidArgument, ErrorReason::InvalidFields, template)
            .with("field_count", self.count)
            .with_violations(self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(number: i32) -> Result<i32, String> {
        if number % 2 == 0 {
            Ok(number)
        } else {
            Err("must be even".to_owned())
        }
    }

    #[test]
    fn one_answer_names_every_bad_field_by_its_path() {
        let mut v = Violations::default();
        v.check("number", even(1));
        v.each("identifiers", [2, 3], |v, number| {
            v.within("phone", |v| v.check("number", even(number)))
        });
        let error = v.finish().expect_err("two are wrong");
        let fields: Vec<_> = error
            .violations()
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(fields, ["number", "identifiers[1].phone.number"]);
        assert_eq!(error.value("field_count"), Some("2"));
    }

    #[test]
    fn a_part_parsed_elsewhere_keeps_its_paths() {
        let mut part = Violations::default();
        part.check("amount_minor", even(1));
        let mut whole = Violations::default();
        whole.check::<(), _>("price", Err(part.into_problem()));
        let error = whole.finish().expect_err("one is wrong");
        assert_eq!(error.violations()[0].field, "price.amount_minor");
    }

    #[test]
    fn a_thousand_violations_are_counted_and_fit_into_a_header() {
        let mut v = Violations::default();
        v.each("lines", 0..1_000, |v, _| {
            v.check("quantity_of_something", even(1))
        });
        let error = v.finish().expect_err("all are wrong");
        assert_eq!(error.value("field_count"), Some("1000"));
        assert_eq!(error.violations().len(), VIOLATIONS_MAX);
        assert!(error.to_status().details().len() < 6_000);
    }

    #[test]
    fn a_command_is_built_only_from_fields_that_parsed() {
        let mut v = Violations::default();
        let number = v.check("number", even(4));
        assert_eq!(v.finish_with(|| Some(number? + 1)).ok(), Some(5));
    }
}
