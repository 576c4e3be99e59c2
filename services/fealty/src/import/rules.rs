//! What the program's rules give for a sum, computed here from the rules alone, to hold against what the ledger says.

use chrono::{DateTime, Utc};
use fealty_client::{CallError, LedgerClient};
use fealty_proto::ledger::v1::earning_rule::Formula;
use fealty_proto::ledger::v1::{
    EarningRule, ListEarningRulesRequest, ListUnitsRequest, Rounding as PbRounding, Unit,
};
use fealty_types::{Money, Rate, Rounding, UnitScale};
use prost_types::Timestamp;

/// Rules read at the most: far more than a program has, and a bound on a loop that a service steers.
const RULE_PAGE_COUNT_MAX: usize = 100;
/// Rules or units of one page.
const PAGE_SIZE: i32 = 1_000;

/// The program's cashback rules.
#[derive(Debug, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    unit_code: String,
    scale: UnitScale,
    rate: Rate,
    rounding: Rounding,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
}

impl Rules {
    /// Reads them from the ledger.
    pub async fn read(ledger: &LedgerClient) -> Result<Self, CallError> {
        let units = ledger
            .list_units(ListUnitsRequest {
                page_size: PAGE_SIZE,
                ..ListUnitsRequest::default()
            })
            .await?
            .into_message()
            .units;
        let mut rules = Vec::new();
        let mut page_token = String::new();
        for _ in 0..RULE_PAGE_COUNT_MAX {
            let page = ledger
                .list_earning_rules(ListEarningRulesRequest {
                    page_size: PAGE_SIZE,
                    page_token,
                })
                .await?
                .into_message();
            rules.extend(
                page.earning_rules
                    .iter()
                    .filter_map(|rule| Rule::parse(rule, &units)),
            );
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(Self(rules))
    }

    /// Units and points for a sum at a time.
    pub fn points(&self, time: DateTime<Utc>, money: Money) -> Vec<(String, i64)> {
        self.0
            .iter()
            .filter(|rule| {
                rule.start.is_none_or(|start| time >= start) && rule.end.is_none_or(|end| time < end)
            })
            .filter_map(|rule| {
                // What overflows the ledger refuses, so that such a row is never counted.
                let points = rule.rate.apply(money, rule.scale, rule.rounding).ok()?;
                Some((rule.unit_code.clone(), points.get()))
            })
            .collect()
    }
}

impl Rule {
    fn parse(rule: &EarningRule, units: &[Unit]) -> Option<Self> {
        let Some(Formula::Cashback(cashback)) = &rule.formula else {
            return None;
        };
        let unit = units.iter().find(|unit| unit.unit_code == rule.unit_code)?;
        Some(Self {
            unit_code: rule.unit_code.clone(),
            scale: UnitScale::try_from(unit.scale).ok()?,
            rate: cashback.rate.parse().ok()?,
            rounding: match cashback.rounding() {
                PbRounding::Unspecified => return None,
                PbRounding::Down => Rounding::Down,
                PbRounding::HalfEven => Rounding::HalfEven,
                PbRounding::HalfUp => Rounding::HalfUp,
            },
            start: rule.start_time.and_then(time),
            end: rule.end_time.and_then(time),
        })
    }
}

fn time(timestamp: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}
