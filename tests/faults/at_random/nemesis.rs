//! Kills and freezes what the ledger runs on, at random from a seed, with quiet phases in between.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fealty_tests::bounded::eventually;
use fealty_tests::database::Database;
use fealty_tests::frozen::Frozen;
use fealty_tests::killed::{Killed, Restarted, Server};
use fealty_tests::replica::Replica;
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Handle;

use super::run::Plan;
use super::world::World;

/// What takes effect between two faults: sometimes so little that not everything has recovered.
const QUIET_COUNT: std::ops::Range<u64> = 10..120;
/// How long that is waited for at the most.
const QUIET_BOUND: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// How long a fault lasts: mostly shorter than a commit and a lock may take, and now and then longer than that and than a
/// silence within a transaction.
const FAULT_MS: std::ops::Range<u64> = 50..2_000;
const LONG_FAULT_MS: std::ops::Range<u64> = 2_000..4_500;
const LONG_FAULTS: f64 = 0.25;
/// How long Postgres may take to recover.
const RECOVERY_BOUND: Duration = Duration::from_mins(1);
/// How long Redis may take to empty itself.
const FLUSH_BOUND: Duration = Duration::from_secs(5);

/// Servers that were started again, Postgres and Redis: they end with this, unless they are killed before.
pub type Restarts = Arc<Mutex<[Option<Restarted>; 2]>>;

/// Who does it.
pub struct Nemesis {
    random: StdRng,
    world: Arc<World>,
    data_dir: PathBuf,
    replicas: [Replica; 2],
    restarts: Restarts,
    faults: &'static [Fault],
    /// What is still to come of them.
    deck: Vec<Fault>,
    begun: Instant,
    log: String,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    KillLedger(usize),
    FreezeLedger(usize),
    KillPostgres,
    FreezePostgres,
    KillRedis,
    FreezeRedis,
    FlushRedis,
}

/// What has to be undone.
enum Undone {
    Replica(usize),
    Thaw(usize),
    Server(Server, Killed),
    Frozen(Frozen),
    Nothing,
}

/// All of them come once, in any order, before one comes again.
const FAULTS: [Fault; 9] = [
    Fault::KillLedger(0),
    Fault::KillLedger(1),
    Fault::FreezeLedger(0),
    Fault::FreezeLedger(1),
    Fault::KillPostgres,
    Fault::FreezePostgres,
    Fault::KillRedis,
    Fault::FreezeRedis,
    Fault::FlushRedis,
];

impl Fault {
    /// Whom it is done to: nobody suffers two faults at a time.
    fn victim(self) -> usize {
        match self {
            Self::KillLedger(index) | Self::FreezeLedger(index) => index,
            Self::KillPostgres | Self::FreezePostgres => 2,
            Self::KillRedis | Self::FreezeRedis | Self::FlushRedis => 3,
        }
    }
}

impl Nemesis {
    /// Against replicas of the suite of a data folder, whose callers have these in common.
    pub fn new(
        plan: Plan,
        world: &Arc<World>,
        (data_dir, restarts): (&Path, &Restarts),
        replicas: [Replica; 2],
    ) -> Self {
        Self {
            random: StdRng::seed_from_u64(plan.seed),
            world: Arc::clone(world),
            data_dir: data_dir.to_owned(),
            replicas,
            restarts: Arc::clone(restarts),
            faults: if plan.faults.is_empty() {
                &FAULTS
            } else {
                plan.faults
            },
            deck: Vec::new(),
            begun: Instant::now(),
            log: String::new(),
        }
    }

    /// Does it for that long, and leaves everything whole. Blocks its thread.
    pub fn run(mut self, duration: Duration) -> Aftermath {
        self.be_quiet();
        while self.begun.elapsed() < duration {
            let faults = self.choose();
            let is_long = self.random.random_bool(LONG_FAULTS);
            let lasts_ms = if is_long { LONG_FAULT_MS } else { FAULT_MS };
            let lasts = Duration::from_millis(self.random.random_range(lasts_ms));
            let begun_s = self.begun.elapsed().as_secs_f64();
            let _ = write!(self.log, "  {begun_s:6.2} s: {faults:?} for {lasts:?}");
            let undone: Vec<Undone> = faults.into_iter().map(|fault| self.apply(fault)).collect();
            sleep(lasts);
            for undone in undone {
                self.undo(undone);
            }
            let whole_s = self.begun.elapsed().as_secs_f64();
            let _ = writeln!(self.log, ", whole at {whole_s:6.2} s");
            self.be_quiet();
        }
        Aftermath {
            _replicas: self.replicas,
            log: self.log,
        }
    }

    /// Until some more has taken effect.
    fn be_quiet(&mut self) {
        let begun = Instant::now();
        let wanted = self.world.took_count() + self.random.random_range(QUIET_COUNT);
        while self.world.took_count() < wanted && begun.elapsed() < QUIET_BOUND {
            sleep(POLL_INTERVAL);
        }
    }

    /// One, and now and then two at a time; servers first, because a ledger does not start without Postgres.
    fn choose(&mut self) -> Vec<Fault> {
        if self.deck.is_empty() {
            self.deck = self.faults.to_vec();
            self.deck.shuffle(&mut self.random);
        }
        let mut faults: Vec<Fault> = self.deck.pop().into_iter().collect();
        let second = self.faults[self.random.random_range(0..self.faults.len())];
        if self.random.random_bool(0.3) && second.victim() != faults[0].victim() {
            faults.push(second);
        }
        faults.sort_by_key(|fault| std::cmp::Reverse(fault.victim()));
        faults
    }

    fn apply(&mut self, fault: Fault) -> Undone {
        match fault {
            Fault::KillLedger(index) => {
                self.replicas[index].kill();
                Undone::Replica(index)
            }
            Fault::FreezeLedger(index) => {
                self.replicas[index].signal(Signal::SIGSTOP);
                Undone::Thaw(index)
            }
            Fault::KillPostgres => self.kill(Server::Postgres),
            Fault::KillRedis => self.kill(Server::Redis),
            Fault::FreezePostgres => Undone::Frozen(Server::Postgres.freeze(&self.data_dir)),
            Fault::FreezeRedis => Undone::Frozen(Server::Redis.freeze(&self.data_dir)),
            Fault::FlushRedis => {
                flush_redis(&self.data_dir);
                Undone::Nothing
            }
        }
    }

    fn kill(&mut self, server: Server) -> Undone {
        let killed = server.kill(&self.data_dir);
        self.put(server, None);
        Undone::Server(server, killed)
    }

    fn put(&self, server: Server, restarted: Option<Restarted>) {
        let place = match server {
            Server::Postgres => 0,
            Server::Redis => 1,
        };
        let mut restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
        restarts[place] = restarted;
    }

    fn undo(&mut self, undone: Undone) {
        match undone {
            Undone::Replica(index) => self.replicas[index].start_again(),
            Undone::Thaw(index) => self.replicas[index].signal(Signal::SIGCONT),
            Undone::Server(server, killed) => {
                self.put(server, Some(killed.start_again()));
                if server == Server::Postgres {
                    let database = Database::of(&self.data_dir);
                    Handle::current().block_on(eventually("Postgres recovers", RECOVERY_BOUND, async || {
                        database.answers().await.then_some(())
                    }));
                }
            }
            Undone::Frozen(frozen) => drop(frozen),
            Undone::Nothing => {}
        }
    }
}

/// What is left, all of it whole: the replicas run on until this is dropped.
pub struct Aftermath {
    _replicas: [Replica; 2],
    /// What was done when.
    pub log: String,
}

/// What an operator's `redis-cli FLUSHALL` does.
fn flush_redis(data_dir: &Path) {
    let settings = std::fs::read_to_string(data_dir.join("redis/redis.conf")).expect("a private Redis");
    let setting = |name: &str| {
        let mut lines = settings.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .expect("it is set")
            .to_owned()
    };
    let port = setting("port ").parse().expect("a port");
    let mut redis = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("Redis answers");
    redis
        .set_read_timeout(Some(FLUSH_BOUND))
        .expect("a bound can be set");
    let password = setting("requirepass ");
    write!(redis, "AUTH {password}\r\nFLUSHALL\r\nQUIT\r\n").expect("Redis listens");
    let mut said = String::new();
    redis.read_to_string(&mut said).expect("Redis answers");
    assert_eq!(said.matches("+OK").count(), 3, "{said}");
}
