//! Net Promoter Scores of surveys, with how sure one can be of them. All who answered count, and nobody else.

pub mod domain;
pub mod grpc;
mod storage;

use std::time::Duration;

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{ProgramId, SurveyId};
use sqlx::postgres::PgPool;

use crate::answers::domain::Span;
use crate::refusal::SurveysError;
use crate::surveys;
use domain::{Months, Tally};

/// Longest count of answers, which only reads and whom nobody waits for. Within the ten seconds that a call may take
/// unless its caller says more.
const COUNT_DURATION_MAX: Duration = Duration::from_secs(8);

/// The use cases of scores.
#[derive(Debug, Clone)]
pub struct Scores {
    pool: PgPool,
}

impl Scores {
    /// Over the service's own role.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// How many of a survey's answers within a span of time are of which kind.
    pub async fn tally(
        &self,
        program: ProgramId,
        survey_id: SurveyId,
        span: Span,
    ) -> Result<Tally, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only().duration_max(COUNT_DURATION_MAX);
        transact(&self.pool, "get_score", scope, options, |tx| {
            in_tx(async move {
                surveys::get_in_tx(&mut *tx, program, survey_id).await?;
                let counts = storage::count_scores_in_tx(tx, program, survey_id, span).await?;
                Ok(Tally::of(counts))
            })
        })
        .await
    }

    /// The same for each of the months, in their order.
    pub async fn trend(
        &self,
        program: ProgramId,
        survey_id: SurveyId,
        months: &Months,
    ) -> Result<Vec<Tally>, SurveysError> {
        let starts = months.starts();
        let starts = starts.as_slice();
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only().duration_max(COUNT_DURATION_MAX);
        let counts = transact(&self.pool, "get_score_trend", scope, options, |tx| {
            in_tx(async move {
                surveys::get_in_tx(&mut *tx, program, survey_id).await?;
                Ok::<_, SurveysError>(
                    storage::count_scores_by_span_in_tx(tx, program, survey_id, starts).await?,
                )
            })
        })
        .await?;
        let tally_of = |index: usize| {
            let of_month = counts.iter().filter(|(bucket, _, _)| *bucket == index);
            Tally::of(of_month.map(|(_, score, count)| (*score, *count)))
        };
        Ok((0..months.count()).map(tally_of).collect())
    }
}
