//! The file's sums beside the ledger's.

use std::fmt;
use std::path::PathBuf;

use fealty_proto::ledger::v1::SummarizePurchasesResponse;
use serde::Serialize;

use super::tally::{Lines, Points, Sum, Tally};

/// What an import ends with.
#[derive(Debug, Clone, Serialize)]
pub struct Reconciliation {
    /// The name under which the ledger keeps the receipts.
    pub source: String,
    /// The program's currency.
    pub currency_code: String,
    /// What the file holds and what became of it.
    pub file: Tally,
    /// What the ledger holds.
    pub ledger: LedgerSums,
    /// Where the two differ. Empty when they agree.
    pub differences: Vec<String>,
    /// Where all rejected rows stand, if there were any.
    pub rejected_file: Option<PathBuf>,
}

/// A source's sums in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LedgerSums {
    /// Purchases.
    pub purchases: Sum,
    /// Refunds.
    pub refunds: Sum,
    /// Points, per unit.
    pub units: Vec<UnitSums>,
}

/// A source's points in one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitSums {
    /// Which unit.
    pub unit_code: String,
    /// What purchases earned.
    pub earned: i64,
    /// Of that, what paid off debt.
    pub debt_repaid: i64,
    /// What refunds took from balances.
    pub from_available: i64,
    /// What refunds left as debt.
    pub as_debt: i64,
    /// What refunds left to the program.
    pub waived: i64,
    /// Refunds that the balance did not cover.
    pub shortfall_count: i64,
}

impl LedgerSums {
    /// From the ledger's answer.
    pub fn parse(summary: &SummarizePurchasesResponse) -> Self {
        let sum = |count: i64, money: Option<&fealty_proto::types::v1::Money>| Sum {
            count: u64::try_from(count).unwrap_or(0),
            minor: money.map_or(0, |money| money.amount_minor),
        };
        let units = summary.units.iter().map(|unit| {
            let taken = unit.taken_back.clone().unwrap_or_default();
            UnitSums {
                unit_code: unit.unit_code.clone(),
                earned: unit.earned_value,
                debt_repaid: unit.debt_repaid_value,
                from_available: taken.from_available,
                as_debt: taken.as_debt,
                waived: taken.waived,
                shortfall_count: unit.shortfall_count,
            }
        });
        Self {
            purchases: sum(summary.purchase_count, summary.purchase_money.as_ref()),
            refunds: sum(summary.refund_count, summary.refund_money.as_ref()),
            units: units.collect(),
        }
    }
}

impl UnitSums {
    fn points(&self) -> Points {
        Points {
            earned: self.earned,
            taken_back: self.from_available + self.as_debt + self.waived,
        }
    }
}

/// Names each sum in which the file and the ledger differ.
pub fn compare(file: &Tally, ledger: &LedgerSums) -> Vec<String> {
    let mut differences = Vec::new();
    let mut check = |what: String, file: i128, ledger: i128| {
        if file != ledger {
            differences.push(format!("{what}: {file} in the file, {ledger} in the ledger"));
        }
    };
    for (what, file, ledger) in [
        ("purchases", file.purchases, ledger.purchases),
        ("refunds", file.refunds, ledger.refunds),
    ] {
        check(format!("{what}, count"), file.count.into(), ledger.count.into());
        check(format!("{what}, money"), file.minor.into(), ledger.minor.into());
    }
    let units = file
        .expected
        .keys()
        .chain(ledger.units.iter().map(|unit| &unit.unit_code));
    for unit_code in units.collect::<std::collections::BTreeSet<_>>() {
        let expected = file.expected.get(unit_code).copied().unwrap_or_default();
        let held = ledger.units.iter().find(|unit| unit.unit_code == *unit_code);
        let held = held.map(UnitSums::points).unwrap_or_default();
        check(
            format!("{unit_code} earned"),
            expected.earned.into(),
            held.earned.into(),
        );
        check(
            format!("{unit_code} taken back"),
            expected.taken_back.into(),
            held.taken_back.into(),
        );
    }
    let parts = [
        i128::from(file.purchases.minor),
        -i128::from(file.refunds.minor),
        file.anonymous.minor.into(),
        file.rejected.minor.into(),
    ];
    check(
        "money of all rows".into(),
        file.read.minor.into(),
        parts.iter().sum(),
    );
    differences
}

impl fmt::Display for Reconciliation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let currency = &self.currency_code;
        writeln!(
            f,
            "Reconciliation of source {:?} (money in minor units of {currency})",
            self.source
        )?;
        writeln!(
            f,
            "{:<22}{:>12}{:>20}{:>20}",
            "", "count", "money, file", "money, ledger"
        )?;
        let row = |f: &mut fmt::Formatter<'_>, what: &str, file: Sum, ledger: Option<Sum>| {
            let ledger = ledger.map_or_else(String::new, |sum| sum.minor.to_string());
            writeln!(f, "{what:<22}{:>12}{:>20}{ledger:>20}", file.count, file.minor)
        };
        row(f, "orders read", self.file.read, None)?;
        row(f, "purchases", self.file.purchases, Some(self.ledger.purchases))?;
        row(f, "refunds", self.file.refunds, Some(self.ledger.refunds))?;
        row(f, "anonymous", self.file.anonymous, None)?;
        odd(f, &self.file.anonymous_odd)?;
        row(f, "rejected", self.file.rejected, None)?;
        odd(f, &self.file.rejected_by_reason)?;
        writeln!(
            f,
            "{} held by the ledger already, {} customers enrolled",
            self.file.replayed_count, self.file.enrolled_count
        )?;
        for unit in &self.ledger.units {
            write_unit(
                f,
                unit,
                self.file
                    .expected
                    .get(&unit.unit_code)
                    .copied()
                    .unwrap_or_default(),
            )?;
        }
        if let Some(path) = &self.rejected_file {
            writeln!(f, "every rejected line: {}", path.display())?;
        }
        for difference in &self.differences {
            writeln!(f, "DIFFERENT {difference}")?;
        }
        if self.differences.is_empty() {
            writeln!(
                f,
                "equal: file and ledger agree to the minor unit and to the point"
            )?;
        }
        Ok(())
    }
}

fn odd(f: &mut fmt::Formatter<'_>, reasons: &std::collections::BTreeMap<String, Lines>) -> fmt::Result {
    for (reason, lines) in reasons {
        let first: Vec<String> = lines.first.iter().map(ToString::to_string).collect();
        let more = if lines.count > lines.first.len() as u64 {
            ", ..."
        } else {
            ""
        };
        writeln!(f, "  {} {reason} (lines {}{more})", lines.count, first.join(", "))?;
    }
    Ok(())
}

fn write_unit(f: &mut fmt::Formatter<'_>, unit: &UnitSums, expected: Points) -> fmt::Result {
    writeln!(
        f,
        "{}: {} earned ({} by the rules), {} of it paid off debt",
        unit.unit_code, unit.earned, expected.earned, unit.debt_repaid
    )?;
    let taken = unit.points().taken_back;
    writeln!(
        f,
        "{}: {taken} taken back ({} by the rules): {} from balances, {} now owed, {} waived",
        unit.unit_code, expected.taken_back, unit.from_available, unit.as_debt, unit.waived
    )?;
    writeln!(
        f,
        "{}: {} refunds exceeded what was there",
        unit.unit_code, unit.shortfall_count
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        Tally {
            read: Sum { count: 2, minor: 300 },
            purchases: Sum { count: 1, minor: 500 },
            refunds: Sum { count: 1, minor: 200 },
            expected: [(
                "points".to_owned(),
                Points {
                    earned: 5,
                    taken_back: 2,
                },
            )]
            .into(),
            ..Tally::default()
        }
    }

    fn sums() -> LedgerSums {
        LedgerSums {
            purchases: Sum { count: 1, minor: 500 },
            refunds: Sum { count: 1, minor: 200 },
            units: vec![UnitSums {
                unit_code: "points".into(),
                earned: 5,
                debt_repaid: 0,
                from_available: 1,
                as_debt: 1,
                waived: 0,
                shortfall_count: 1,
            }],
        }
    }

    #[test]
    fn equal_sums_have_no_differences() {
        assert_eq!(compare(&tally(), &sums()), Vec::<String>::new());
    }

    #[test]
    fn one_point_or_penny_is_named() {
        let mut ledger = sums();
        ledger.units[0].waived = 1;
        ledger.purchases.minor += 1;
        let differences = compare(&tally(), &ledger);
        assert_eq!(
            differences,
            [
                "purchases, money: 500 in the file, 501 in the ledger",
                "points taken back: 2 in the file, 3 in the ledger"
            ]
        );
        let missing_unit = LedgerSums {
            units: Vec::new(),
            ..sums()
        };
        assert_eq!(compare(&tally(), &missing_unit).len(), 2);
    }
}
