//! Counts of answers in the database. They read nothing but an index.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{ProgramId, SurveyId};
use sqlx::PgConnection;

use crate::answers::domain::Span;
use crate::surveys::domain::Score;

/// How many answers within a span of time gave which score.
pub(super) async fn count_scores_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey_id: SurveyId,
    span: Span,
) -> Result<Vec<(Score, i64)>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT score, count(*) AS "count!" FROM answer
           WHERE program = $1 AND survey_id = $2
             AND answer_time >= coalesce($3, '-infinity'::timestamptz)
             AND answer_time < coalesce($4, 'infinity'::timestamptz)
           GROUP BY score"#,
        program.as_uuid(),
        survey_id.as_uuid(),
        span.from,
        span.before,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| Ok((read_score(row.score)?, row.count)))
        .collect()
}

/// The same for spans of time that follow one another: each begins where the one before it ends, and the last start is
/// the end of the last span. With the place of the span that they lie in.
pub(super) async fn count_scores_by_span_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey_id: SurveyId,
    starts: &[DateTime<Utc>],
) -> Result<Vec<(usize, Score, i64)>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT width_bucket(answer_time, $3::timestamptz[]) AS "bucket!", score, count(*) AS "count!" FROM answer
           WHERE program = $1 AND survey_id = $2 AND answer_time >= $4 AND answer_time < $5
           GROUP BY 1, 2"#,
        program.as_uuid(),
        survey_id.as_uuid(),
        starts,
        starts.first().copied(),
        starts.last().copied(),
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            // Buckets are counted from 1.
            let index = usize::try_from(row.bucket - 1)
                .map_err(|error| StorageError::corrupt("answer.answer_time", error))?;
            Ok((index, read_score(row.score)?, row.count))
        })
        .collect()
}

fn read_score(score: i16) -> Result<Score, StorageError> {
    Score::try_from(i32::from(score)).map_err(|error| StorageError::corrupt("answer.score", error))
}
