//! A ledger's past: transactions of all its members, by SQL, as copies of one that the ledger has written.

use anyhow::Context as _;
use sqlx::Connection as _;
use uuid::Uuid;

use crate::copies::{Copies, unbounded};
use crate::ground::Ground;

/// Members whose transactions are made by one statement.
const MEMBERS_PER_STATEMENT: usize = 50_000;

/// The past of a ground's members, so far.
#[derive(Debug)]
pub struct History<'a> {
    ground: &'a Ground,
    members: Vec<Uuid>,
    count: usize,
}

impl<'a> History<'a> {
    /// None yet: every member holds the points of one credit, of which there is no transaction.
    #[must_use]
    pub fn of(ground: &'a Ground) -> Self {
        Self {
            ground,
            members: ground.members.iter().filter_map(|id| id.parse().ok()).collect(),
            count: 0,
        }
    }

    /// How many transactions there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Fills up to so many: member by member, then again from the first one, so that the newest are everybody's.
    pub async fn fill(&mut self, count: usize) -> anyhow::Result<()> {
        while self.count < count {
            let from = self.count % self.members.len();
            let to = self
                .members
                .len()
                .min(from + MEMBERS_PER_STATEMENT)
                .min(from + count - self.count);
            let members = &self.members[from..to];
            self.one_each(members).await?;
            self.count += members.len();
        }
        Ok(())
    }

    async fn one_each(&self, members: &[Uuid]) -> anyhow::Result<()> {
        let owner = &self.ground.database.owner;
        // Of version 7, its time grows with each row, long ago. A transaction bears its request's id.
        let number = format!("({} + c.number)", self.count);
        let id = format!(
            "(lpad(to_hex(1600000000000 + {number}), 12, '0') || '7' || substr(md5({number} || 'a'), 1, 3) \
             || '8' || substr(md5({number} || 'b'), 1, 15))::uuid"
        );
        let copies = Copies {
            table: "transaction",
            of: (self.ground.program, self.ground.first),
            replaced: &[
                ("transaction_id", &id),
                ("request_id", &id),
                ("owner_id", "c.owner_id"),
                ("version", "c.version + 1"),
            ],
            source: "(SELECT o.owner_id, o.version, m.number \
                      FROM unnest($2::uuid[]) WITH ORDINALITY AS m (owner_id, number) \
                      JOIN owner o ON o.program = $3 AND o.owner_id = m.owner_id) AS c",
        };
        copies.insert(owner, members).await?;
        let mut connection = unbounded(owner).await?;
        sqlx::query("UPDATE owner SET version = version + 1 WHERE program = $1 AND owner_id = ANY ($2)")
            .bind(self.ground.program)
            .bind(members)
            .execute(&mut connection)
            .await
            .context("the members' versions")?;
        connection.close().await?;
        Ok(())
    }
}
