//! The two scripts. Each runs as a whole: nobody else's command comes in between.

use redis::{FromRedisValue, ParsingError, Script, ScriptInvocation, Value};

use super::{CachedBalances, NEVER_MS, RedisKeys, WriteOutcome};

/// Answers `{version, true_until, payload}`, or `{token}` of a lease: the one that is there, else a new one.
///
/// KEYS: value, lease. ARGV: lowest version, now in ms, token, life of the lease in ms.
///
/// Readers that miss at the same time share a lease: whoever fills first ends it, and a writer ends it for all.
const GET: &str = "
local held = redis.call('HMGET', KEYS[1], 'version', 'true_until', 'payload')
if held[1] and tonumber(held[1]) >= tonumber(ARGV[1]) and tonumber(held[2]) > tonumber(ARGV[2]) then
  return held
end
if redis.call('SET', KEYS[2], ARGV[3], 'NX', 'PX', ARGV[4]) then
  return {ARGV[3]}
end
return {redis.call('GET', KEYS[2])}
";

/// Writes the value unless it is not newer; kills the lease in any case. Answers `stored`, `not_newer` or
/// `lease_lost`.
///
/// KEYS: value, lease. ARGV: version, `true_until` in ms, payload, time to live in ms, token of the lease or ''.
///
/// The same version with a later `true_until` is newer: it was worked out after time itself had changed the balances.
const WRITE: &str = "
if ARGV[5] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[5] then
  return 'lease_lost'
end
redis.call('DEL', KEYS[2])
local held = redis.call('HMGET', KEYS[1], 'version', 'true_until')
if held[1] then
  local held_version, version = tonumber(held[1]), tonumber(ARGV[1])
  if held_version > version
    or (held_version == version and tonumber(held[2]) >= tonumber(ARGV[2])) then
    return 'not_newer'
  end
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'true_until', ARGV[2], 'payload', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'stored'
";

pub(super) struct Scripts {
    get: Script,
    write: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            get: Script::new(GET),
            write: Script::new(WRITE),
        }
    }

    pub(super) fn get(
        &self,
        keys: &RedisKeys,
        at_least: i64,
        now_ms: i64,
        (token, lease_ttl_ms): (&str, u64),
    ) -> ScriptInvocation<'_> {
        let mut script = self.get.key(&keys.value);
        script
            .key(&keys.lease)
            .arg(at_least)
            .arg(now_ms)
            .arg(token)
            .arg(lease_ttl_ms);
        script
    }

    /// What [`Scripts::write`] invokes.
    pub(super) const fn write_script(&self) -> &Script {
        &self.write
    }

    pub(super) fn write(
        &self,
        keys: &RedisKeys,
        balances: &CachedBalances,
        ttl_ms: i64,
        lease: &str,
    ) -> ScriptInvocation<'_> {
        let true_until_ms = balances
            .true_until
            .map_or(NEVER_MS, |end| end.timestamp_millis().min(NEVER_MS - 1));
        let mut script = self.write.key(&keys.value);
        script
            .key(&keys.lease)
            .arg(balances.version.get())
            .arg(true_until_ms)
            .arg(&balances.payload)
            .arg(ttl_ms)
            .arg(lease);
        script
    }
}

/// What the get script answers.
#[derive(Debug)]
pub(super) enum Held {
    Value {
        version: i64,
        true_until_ms: i64,
        payload: String,
    },
    Lease {
        token: String,
    },
}

impl FromRedisValue for Held {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let fields: Vec<Value> = redis::from_redis_value(value)?;
        match <[Value; 3]>::try_from(fields) {
            Ok([version, true_until_ms, payload]) => Ok(Self::Value {
                version: redis::from_redis_value(version)?,
                true_until_ms: redis::from_redis_value(true_until_ms)?,
                payload: redis::from_redis_value(payload)?,
            }),
            Err(fields) => {
                let (token,) = redis::from_redis_value(Value::Array(fields))?;
                Ok(Self::Lease { token })
            }
        }
    }
}

/// What the write script answers.
#[derive(Debug)]
pub(super) struct WriteAnswer(WriteOutcome);

impl From<WriteAnswer> for WriteOutcome {
    fn from(answer: WriteAnswer) -> Self {
        answer.0
    }
}

impl FromRedisValue for WriteAnswer {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let word: String = redis::from_redis_value(value)?;
        match word.as_str() {
            "stored" => Ok(Self(WriteOutcome::Stored)),
            "not_newer" => Ok(Self(WriteOutcome::NotNewer)),
            "lease_lost" => Ok(Self(WriteOutcome::LeaseLost)),
            _ => Err(ParsingError::from("not an answer of the script")),
        }
    }
}
