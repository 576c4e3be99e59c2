//! Looks at what is held, for whoever compares it with the record, and puts right what is wrong.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::scripts::{Raw, SeeAnswer, WriteAnswer};
use super::{BalanceCache, BalanceKey, CacheAnswer, CachedBalances, RedisKeys, WriteOutcome};
use super::{hit, metrics, time_to_live_ms, trace};
use crate::connection::NoAnswer;

/// Steps through Redis's keys of one look: some may find nothing, because other timelines and leases lie there too.
const STEPS_MAX: usize = 8;

/// Keys that Redis passes in a step: some 50 microseconds in which nobody else is served.
const STEP_COUNT: usize = 100;

/// How far one has come through Redis's keys. They are passed in the order of their hashes, which Redis seeds at random:
/// whatever comes next is as good as drawn, and all come in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walk {
    cursor: u64,
}

/// What was held of an owner when somebody looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Of whom.
    pub key: BalanceKey,
    /// What it says; `None` where nobody can read it. Readers do not get it then.
    pub balances: Option<CachedBalances>,
    keys: RedisKeys,
    raw: Raw,
}

impl BalanceCache {
    /// Some of what is held of this timeline, further on the walk: about `count_max`, fewer where few are held. `None`:
    /// Redis is absent, away or slow.
    pub async fn sample(&self, walk: &mut Walk, count_max: usize) -> Option<Vec<Seen>> {
        match self.try_sample(walk, count_max).await {
            Ok(seen) => Some(seen),
            Err(no_answer) => {
                trace(&no_answer);
                None
            }
        }
    }

    async fn try_sample(&self, walk: &mut Walk, count_max: usize) -> Result<Vec<Seen>, NoAnswer> {
        let connection = self.connection.as_ref().ok_or(NoAnswer::Paused)?;
        let prefix = self.prefix();
        let mut found: Vec<(BalanceKey, RedisKeys)> = Vec::new();
        for _ in 0..STEPS_MAX {
            let mut scan = redis::cmd("SCAN");
            scan.arg(walk.cursor).arg("MATCH").arg(format!("{prefix}*"));
            scan.arg("COUNT").arg(STEP_COUNT.min(count_max));
            let (cursor, names): (u64, Vec<String>) = connection.ask(&scan).await?;
            walk.cursor = cursor;
            let values = names.into_iter().filter_map(|name| value_of(&prefix, name));
            found.extend(values);
            if cursor == 0 || found.len() >= count_max {
                break;
            }
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let looks: Vec<_> = found.iter().map(|(_, keys)| self.scripts.see(keys)).collect();
        let answers = connection.run_all::<SeeAnswer>(self.scripts.see_script(), &looks);
        let answers = answers.await?;
        let seen = found
            .into_iter()
            .zip(answers)
            .filter_map(|((key, keys), answer)| {
                let raw = answer.0?;
                let balances = read(&raw);
                Some(Seen {
                    key,
                    balances,
                    keys,
                    raw,
                })
            });
        Ok(seen.collect())
    }

    /// Puts what the record says in place of what was seen, if just that still stands there: else it was written since,
    /// and only what is newer replaces it. With nothing to say (nobody has such an owner), what was seen is taken away.
    ///
    /// Whoever calls it has read the record after they saw. So what is put is no older than any write that could have
    /// arrived before, and as little as by any other write can an older one come after it.
    ///
    /// # Panics
    /// When the version is 2^53 or more, which no owner reaches.
    pub async fn put_right(
        &self,
        seen: &Seen,
        balances: Option<&CachedBalances>,
        now: DateTime<Utc>,
    ) -> WriteOutcome {
        let Some(connection) = &self.connection else {
            return WriteOutcome::Unavailable;
        };
        let script = match balances {
            Some(balances) => {
                super::assert_comparable(balances.version);
                let ttl_ms = time_to_live_ms(balances.true_until, now, self.ttl_max_ms);
                self.scripts.put_right(&seen.keys, balances, ttl_ms, &seen.raw)
            }
            None => self.scripts.take_away(&seen.keys, &seen.raw),
        };
        let outcome = match connection.run::<WriteAnswer>(&script).await {
            Ok(answer) => answer.into(),
            Err(no_answer) => {
                trace(&no_answer);
                WriteOutcome::Unavailable
            }
        };
        metrics::written(outcome);
        outcome
    }
}

/// Whose value has that name; leases are none.
fn value_of(prefix: &str, name: String) -> Option<(BalanceKey, RedisKeys)> {
    let named = name.strip_prefix(prefix)?.strip_prefix('{')?.strip_suffix('}')?;
    let (program, owner) = named.split_once(':')?;
    let key = BalanceKey {
        program: program.parse().ok()?,
        owner: owner.parse().ok()?,
    };
    Some((key, RedisKeys::of_value(name)))
}

/// What readers are told of it.
fn read([version, true_until_ms, payload]: &Raw) -> Option<CachedBalances> {
    let payload = String::from_utf8(payload.clone()).ok()?;
    match hit(number(version)?, number(true_until_ms)?, payload) {
        Some(CacheAnswer::Hit(balances)) => Some(balances),
        _ => None,
    }
}

fn number(field: &[u8]) -> Option<i64> {
    i64::from_str(str::from_utf8(field).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_from_leases_and_from_what_is_none_of_ours() {
        let ids = "01890a5d-ac96-774b-bcce-b302099a8057:01890a5d-ac96-774b-bcce-b302099a8058";
        let whose = |name: String| value_of("fealty:balance:t:", name);
        let (key, keys) = whose(format!("fealty:balance:t:{{{ids}}}")).unwrap();
        assert_eq!(format!("{}:{}", key.program, key.owner), ids);
        assert_eq!(keys.lease, format!("fealty:balance:t:{{{ids}}}:lease"));
        for name in [
            format!("fealty:balance:t:{{{ids}}}:lease"),
            format!("fealty:balance:u:{{{ids}}}"),
            "fealty:balance:t:{nobody:nothing}".to_owned(),
        ] {
            assert_eq!(whose(name), None);
        }
    }

    #[test]
    fn what_breaks_our_rules_is_read_by_nobody() {
        let raw = |fields: [&str; 3]| fields.map(|field| field.as_bytes().to_vec());
        assert!(read(&raw(["3", "9007199254740991", "x"])).is_some());
        for fields in [
            ["", "", ""],
            ["three", "1", "x"],
            ["-3", "1", "x"],
            ["3", "soon", "x"],
        ] {
            assert_eq!(read(&raw(fields)), None);
        }
    }
}
