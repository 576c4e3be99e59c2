//! Currencies after ISO 4217.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The alphabetic code of a currency, such as "GBP", together with what ISO 4217 says of its minor unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CurrencyCode {
    code: [u8; CODE_LEN],
    minor_digits: u8,
}

/// The text names no currency that people pay in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a currency code of ISO 4217 in capital letters, such as GBP")]
pub struct CurrencyCodeError;

const CODE_LEN: usize = 3;

/// The codes of ISO 4217 that have a minor unit, by the number of its digits: its list of 2025, with HRK and BGN kept
/// because shops import years in which people paid with them. Left out are those without a minor unit (metals, bond
/// units, XDR, XTS, XXX): nobody pays a till in them.
const CURRENCIES: [(u8, &str); 4] = [
    (
        0,
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    ),
    (
        2,
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD \
         CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD \
         GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL \
         MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN \
         QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD \
         TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

impl CurrencyCode {
    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.code).expect("a currency code is ASCII")
    }

    /// How many decimals its minor unit is: 2 for GBP (pence), 0 for JPY, 3 for KWD.
    #[must_use]
    pub const fn minor_digits(&self) -> u8 {
        self.minor_digits
    }
}

impl FromStr for CurrencyCode {
    type Err = CurrencyCodeError;

    fn from_str(text: &str) -> Result<Self, CurrencyCodeError> {
        let code: [u8; CODE_LEN] = text.as_bytes().try_into().map_err(|_| CurrencyCodeError)?;
        let (minor_digits, _) = CURRENCIES
            .iter()
            .find(|(_, codes)| codes.split(' ').any(|known| known == text))
            .ok_or(CurrencyCodeError)?;
        Ok(Self {
            code,
            minor_digits: *minor_digits,
        })
    }
}

impl TryFrom<String> for CurrencyCode {
    type Error = CurrencyCodeError;

    fn try_from(text: String) -> Result<Self, CurrencyCodeError> {
        text.parse()
    }
}

impl From<CurrencyCode> for String {
    fn from(code: CurrencyCode) -> Self {
        code.as_str().to_owned()
    }
}

impl AsRef<str> for CurrencyCode {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for CurrencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CurrencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CurrencyCode({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_knows_its_minor_unit() {
        for (text, minor_digits) in [
            ("GBP", 2),
            ("EUR", 2),
            ("JPY", 0),
            ("KWD", 3),
            ("CLF", 4),
            ("RUB", 2),
        ] {
            let code: CurrencyCode = text.parse().unwrap();
            assert_eq!((code.as_str(), code.minor_digits()), (text, minor_digits));
        }
    }

    #[test]
    fn what_is_no_currency_is_refused() {
        for text in ["", "gbp", "GB", "GBPX", "XXX", "XAU", "ZZZ", "A D", "£££"] {
            assert_eq!(text.parse::<CurrencyCode>(), Err(CurrencyCodeError), "{text:?}");
        }
    }

    #[test]
    fn the_table_holds_each_code_once() {
        let mut codes: Vec<&str> = CURRENCIES
            .iter()
            .flat_map(|(_, codes)| codes.split(' '))
            .collect();
        assert!(codes.iter().all(|code| code.len() == CODE_LEN), "{codes:?}");
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
