//! What `fealty import purchases` is told.

use std::path::PathBuf;
use std::str::FromStr;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Rows in flight unless told otherwise: enough to keep a ledger's commits full, few enough to be polite to one that
/// serves tills at the same time.
const IN_FLIGHT_DEFAULT: usize = 64;

/// Streams purchases and refunds from a CSV into the ledger.
///
/// Every row ends as one of four: a purchase; a refund (a row marked as cancellation, its sum zero or negative), taken
/// without reference to a purchase; anonymous (no customer: counted, not posted); or rejected, with its line and the
/// reason. A negative sum that is no cancellation and a positive one that is are rejected where they have a customer.
/// Running it twice changes nothing. After a kill it goes on where it was.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The CSV, with a header row.
    pub file: PathBuf,
    /// Which column is what. The fields: `receipt`, `customer`, `time`, `amount_minor` (a whole number of minor units,
    /// such as pence) and, where there is one, `cancellation` (0, 1, true, false).
    #[arg(long, value_name = "FIELD=COLUMN,...", default_value = "")]
    pub map: Map,
    /// IANA zone of times that carry no offset of their own, such as Europe/London.
    #[arg(long, default_value = "UTC")]
    pub time_zone: Tz,
    /// Enrol customers that the members service does not know, by their external id, with the policy in force. You
    /// vouch for their consent.
    #[arg(long)]
    pub enrol: bool,
    /// Name under which the ledger keeps these receipts. Default: "import:" and the file's name.
    #[arg(long)]
    pub source: Option<String>,
    /// The members service.
    #[arg(long, env = "FEALTY_MEMBERS_URL", default_value = "http://127.0.0.1:7101")]
    pub members: String,
    /// The ledger service.
    #[arg(long, env = "FEALTY_LEDGER_URL", default_value = "http://127.0.0.1:7102")]
    pub ledger: String,
    /// A key of the program, with the scopes members (read, write with --enrol), policies (read), programs (read),
    /// purchases (write), ledger (read) and rules (read).
    #[arg(long, env = "FEALTY_KEY", hide_env_values = true)]
    pub key: String,
    /// Rows in flight at the most.
    #[arg(long, default_value_t = IN_FLIGHT_DEFAULT, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub in_flight: usize,
    /// Folder of the notes that a resumed import goes on from. Default: the user's state folder.
    #[arg(long, env = "FEALTY_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Write the reconciliation as JSON too.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Which column of the CSV is what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    /// The receipt's number.
    pub receipt: String,
    /// The customer's external id; empty in rows without one.
    pub customer: String,
    /// When it happened.
    pub time: String,
    /// The sum in minor units.
    pub amount_minor: String,
    /// Whether the row takes back. Rows without such a column do by their sign.
    pub cancellation: String,
}

impl Default for Map {
    fn default() -> Self {
        Self {
            receipt: "receipt".into(),
            customer: "customer".into(),
            time: "time".into(),
            amount_minor: "amount_minor".into(),
            cancellation: "cancellation".into(),
        }
    }
}

impl FromStr for Map {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut map = Self::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (field, column) = pair
                .split_once('=')
                .ok_or_else(|| format!("{pair:?} is not of the form field=column"))?;
            let place = match field.trim() {
                "receipt" => &mut map.receipt,
                "customer" => &mut map.customer,
                "time" => &mut map.time,
                "amount_minor" => &mut map.amount_minor,
                "cancellation" => &mut map.cancellation,
                other => {
                    return Err(format!(
                        "{other:?} is none of receipt, customer, time, amount_minor, cancellation"
                    ));
                }
            };
            column.trim().clone_into(place);
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_names_the_columns_it_changes_and_keeps_the_others() {
        let map: Map = "receipt=invoice, time=date".parse().expect("a map");
        assert_eq!(map.receipt, "invoice");
        assert_eq!(map.time, "date");
        assert_eq!(map.customer, "customer");
    }

    #[test]
    fn an_unknown_field_is_named() {
        let error = "sum=amount".parse::<Map>().expect_err("unknown");
        assert!(error.contains("\"sum\""), "{error}");
        assert!("receipt".parse::<Map>().is_err());
    }
}
