//! What was measured, for people and for machines.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::load::Measured;

/// What a figure is compared with.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// What it is: "(a) usual design, pool of 32".
    pub name: String,
    /// Its own figure, in the row's unit.
    pub figure: f64,
}

/// What a row is to reach. Nothing fails where it does not: the report says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The ratio is at least that.
    RatioAtLeast(f64),
    /// The ratio is at most that.
    RatioAtMost(f64),
    /// The figure itself is at most that.
    FigureAtMost(f64),
}

/// One comparison.
#[derive(Debug, Clone)]
pub struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    baseline: Option<Baseline>,
    ratio: Option<f64>,
    target: Option<Target>,
    /// Half of the calls took no longer, and 99 of a hundred, in milliseconds.
    percentiles_ms: Option<[f64; 2]>,
    notes: Vec<String>,
}

impl Row {
    /// A figure by itself.
    pub fn new(what: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            figure,
            unit,
            baseline: None,
            ratio: None,
            target: None,
            percentiles_ms: None,
            notes: Vec::new(),
        }
    }

    /// Calls per second, with how long they took and what was refused.
    pub fn rate(what: impl Into<String>, measured: &Measured) -> Self {
        let all = measured.latencies();
        let mut row = Self::new(what, measured.per_second(), "/s");
        row.percentiles_ms = Some([50, 99].map(|percent| all.percentile_ms(percent)));
        if measured.refused_count > 0 {
            let first = measured.refusal.as_deref().unwrap_or_default();
            row.notes
                .push(format!("{} refused, the first: {first}", measured.refused_count));
        }
        row
    }

    /// Compared with a baseline: how many times as much.
    #[must_use]
    pub fn against(mut self, baseline: Baseline) -> Self {
        self.ratio = Some(self.figure / baseline.figure);
        self.baseline = Some(baseline);
        self
    }

    /// Compared with another rate by what a call costs: how many times as long it keeps the machine.
    #[must_use]
    pub fn cost_against(mut self, baseline: Baseline) -> Self {
        self.ratio = Some(baseline.figure / self.figure);
        self.baseline = Some(baseline);
        self
    }

    /// What it is to reach.
    #[must_use]
    pub const fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// What has to be known beside.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Whether it reaches its target; `None` without one, or where the figure is none.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        let compared = match self.target? {
            Target::FigureAtMost(_) => self.figure,
            Target::RatioAtLeast(_) | Target::RatioAtMost(_) => self.ratio?,
        };
        if !compared.is_finite() {
            return None;
        }
        Some(match self.target? {
            Target::RatioAtLeast(floor) => compared >= floor,
            Target::RatioAtMost(bound) | Target::FigureAtMost(bound) => compared <= bound,
        })
    }

    fn target_text(&self) -> String {
        match self.target {
            None => String::new(),
            Some(Target::RatioAtLeast(floor)) => format!("at least {floor}x"),
            Some(Target::RatioAtMost(bound)) => format!("at most {bound}x"),
            Some(Target::FigureAtMost(bound)) => format!("at most {bound} {}", self.unit),
        }
    }

    fn baseline_text(&self) -> String {
        self.baseline.as_ref().map_or_else(String::new, |baseline| {
            format!("{}: {}", baseline.name, number(baseline.figure))
        })
    }

    fn json(&self) -> Value {
        let target = self.target_text();
        json!({
            "what": self.what,
            "figure": self.figure,
            "unit": self.unit,
            "baseline": self.baseline.as_ref().map(|baseline| &baseline.name),
            "baseline_figure": self.baseline.as_ref().map(|baseline| baseline.figure),
            "ratio": self.ratio,
            "target": (!target.is_empty()).then_some(target),
            "met": self.is_met(),
            "p50_ms": self.percentiles_ms.map(|[p50, _]| p50),
            "p99_ms": self.percentiles_ms.map(|[_, p99]| p99),
            "notes": self.notes,
        })
    }
}

/// As a table.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let head = [
        "what", "figure", "p50 ms", "p99 ms", "against", "ratio", "floor", "met",
    ]
    .map(str::to_owned);
    let mut lines: Vec<[String; 8]> = vec![head];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: [usize; 8] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for width in widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text + &notes(rows)
}

/// Once each, though a figure is in as many rows as it has baselines.
fn notes(rows: &[Row]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for row in rows {
        lines.extend(row.notes.iter().map(|note| format!("{}: {note}\n", row.what)));
    }
    lines.dedup();
    lines.concat()
}

fn cells(row: &Row) -> [String; 8] {
    let [p50, p99] = row
        .percentiles_ms
        .map_or_else(Default::default, |both| both.map(number));
    [
        row.what.clone(),
        format!("{} {}", number(row.figure), row.unit),
        p50,
        p99,
        row.baseline_text(),
        row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}x")),
        row.target_text(),
        row.is_met()
            .map_or("", |met| if met { "yes" } else { "NO" })
            .to_owned(),
    ]
}

/// Three digits that count.
fn number(figure: f64) -> String {
    match figure.abs() {
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// Writes the rows where machines read them.
pub fn write_json(rows: &[Row], path: &Path) -> anyhow::Result<()> {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    let text = serde_json::to_string_pretty(&rows)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(figure: f64) -> Baseline {
        Baseline {
            name: "(a)".to_owned(),
            figure,
        }
    }

    #[test]
    fn a_floor_is_met_from_its_very_value_on() {
        let row = |figure| {
            let row = Row::new("post", figure, "/s").against(baseline(100.0));
            row.target(Target::RatioAtLeast(6.0)).is_met()
        };
        assert_eq!(row(600.0), Some(true));
        assert_eq!(row(599.0), Some(false));
        assert_eq!(row(f64::NAN), None);
    }

    #[test]
    fn a_cost_is_how_many_times_as_long_a_call_keeps_the_machine() {
        let row = Row::new("spend", 50.0, "/s").cost_against(baseline(100.0));
        assert_eq!(row.clone().target(Target::RatioAtMost(2.0)).is_met(), Some(true));
        assert_eq!(row.target(Target::RatioAtMost(1.9)).is_met(), Some(false));
    }

    #[test]
    fn a_row_tells_machines_the_same_as_people() {
        let row = Row::new("memory", 80.0, "MiB")
            .target(Target::FigureAtMost(96.0))
            .note("quick");
        let told = row.json();
        assert_eq!(told["figure"], 80.0);
        assert_eq!(told["target"], "at most 96 MiB");
        assert_eq!(told["met"], true);
        assert_eq!(told["ratio"], Value::Null);
        let text = table(&[row]);
        assert!(
            text.contains("| memory | 80.0 MiB |") && text.contains("memory: quick"),
            "{text}"
        );
    }
}
