//! The scripts. Each runs as a whole: nobody else's command comes in between.

use redis::{FromRedisValue, ParsingError, Script, ScriptInvocation, Value};

use super::{CachedBalances, NEVER_MS, RedisKeys, WriteOutcome};

/// What stands there, as it stands there.
pub(super) type Raw = [Vec<u8>; 3];

/// Answers `{version, true_until, payload}`, or `{token}` of a lease: the one that is there, else a new one.
///
/// KEYS: value, lease. ARGV: lowest version, now in ms, token, life of the lease in ms.
///
/// Readers that miss at the same time share a lease: whoever fills first ends it, and a writer ends it for all. What is
/// none of ours (no numbers, not even a hash) is as if it were not there.
const GET: &str = "
local held = redis.pcall('HMGET', KEYS[1], 'version', 'true_until', 'payload')
local version, true_until = tonumber(held[1]), tonumber(held[2])
if version and true_until and held[3]
  and version >= tonumber(ARGV[1]) and true_until > tonumber(ARGV[2]) then
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
/// KEYS: value, lease. ARGV: version, `true_until` in ms, payload, time to live in ms, token of the lease or ''; and only
/// to put right what was seen: the version, `true_until` and payload that are wrong.
///
/// The same version with a later `true_until` is newer: it was worked out after time itself had changed the balances.
/// What is wrong counts as not there, so that it is replaced in one step, and by nothing older than the record was when it
/// was found wrong; whatever else stands there by now was written since, and is held to the rule.
const WRITE: &str = "
if ARGV[5] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[5] then
  return 'lease_lost'
end
redis.call('DEL', KEYS[2])
local held = redis.pcall('HMGET', KEYS[1], 'version', 'true_until')
if held['err'] then
  redis.call('DEL', KEYS[1])
  held = {}
end
local is_wrong = ARGV[6] and (held[1] or '') == ARGV[6] and (held[2] or '') == ARGV[7]
  and (redis.call('HGET', KEYS[1], 'payload') or '') == ARGV[8]
local held_version, held_until = tonumber(held[1]), tonumber(held[2])
if held_version and held_until and not is_wrong then
  local version = tonumber(ARGV[1])
  if held_version > version
    or (held_version == version and held_until >= tonumber(ARGV[2])) then
    return 'not_newer'
  end
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'true_until', ARGV[2], 'payload', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'stored'
";

/// Answers what stands there, whatever it is, field by field ('' where there is none), and nothing where nothing stands.
///
/// KEYS: value.
const SEE: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {}
end
local held = redis.pcall('HMGET', KEYS[1], 'version', 'true_until', 'payload')
return {held[1] or '', held[2] or '', held[3] or ''}
";

pub(super) struct Scripts {
    get: Script,
    write: Script,
    see: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            get: Script::new(GET),
            write: Script::new(WRITE),
            see: Script::new(SEE),
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

    /// Puts the value in place of what was seen.
    pub(super) fn put_right(
        &self,
        keys: &RedisKeys,
        balances: &CachedBalances,
        ttl_ms: i64,
        seen: &Raw,
    ) -> ScriptInvocation<'_> {
        let mut script = self.write(keys, balances, ttl_ms, "");
        for field in seen {
            script.arg(field.as_slice());
        }
        script
    }

    /// Takes away what was seen: what is put in its place serves nobody, and is gone at once.
    pub(super) fn take_away(&self, keys: &RedisKeys, seen: &Raw) -> ScriptInvocation<'_> {
        let mut script = self.write.key(&keys.value);
        script.key(&keys.lease).arg(0).arg(0).arg("").arg(1).arg("");
        for field in seen {
            script.arg(field.as_slice());
        }
        script
    }

    /// What [`Scripts::see`] invokes.
    pub(super) const fn see_script(&self) -> &Script {
        &self.see
    }

    pub(super) fn see(&self, keys: &RedisKeys) -> ScriptInvocation<'_> {
        self.see.key(&keys.value)
    }
}

/// What the see script answers.
#[derive(Debug)]
pub(super) struct SeeAnswer(pub(super) Option<Raw>);

impl FromRedisValue for SeeAnswer {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let fields: Vec<Vec<u8>> = redis::from_redis_value(value)?;
        Ok(Self(fields.try_into().ok()))
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
