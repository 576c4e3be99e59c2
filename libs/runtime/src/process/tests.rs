use std::sync::{Arc, Mutex};

use tokio::time::{Instant, sleep};

use super::*;

type NoError = std::convert::Infallible;

fn process() -> Process {
    Process::new(&DrainConfig {
        not_serving_pause_ms: 1_000,
        drain_timeout_ms: 10_000,
    })
}

fn failure(task: &str, reason: &str) -> Failure {
    Failure {
        task: task.to_owned(),
        reason: reason.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_with_nothing_left_to_do_ends_clean() {
    let outcome = process()
        .run(async |tasks| {
            tasks.spawn("copy", sleep(Duration::from_secs(5)));
            Ok::<_, NoError>(())
        })
        .await;
    assert!(outcome.is_clean());
    assert_eq!(outcome.exit_status(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_heeds_the_end_is_waited_for() {
    let begun = Instant::now();
    let outcome = process()
        .run(async |tasks| {
            let soft = tasks.soft_shutdown();
            tasks.spawn_critical("worker", async move {
                soft.cancelled().await;
                sleep(Duration::from_secs(4)).await;
                Ok::<_, NoError>(())
            });
            sleep(Duration::from_secs(1)).await;
            tasks.shut_down();
            Ok::<_, NoError>(())
        })
        .await;
    assert_eq!(outcome.exit_status(), 0, "{outcome:?}");
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_heeds_nothing_is_dropped_when_time_is_up() {
    let begun = Instant::now();
    let outcome = process()
        .run(async |tasks| {
            tasks.spawn("stubborn", std::future::pending());
            tasks.shut_down();
            Ok::<_, NoError>(())
        })
        .await;
    assert_eq!(outcome.unfinished(), ["stubborn"]);
    assert_eq!(outcome.exit_status(), 3);
    assert_eq!(begun.elapsed(), Duration::from_secs(10) + HARD_GRACE);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_heeds_the_hard_end_ends_by_itself_and_is_still_unfinished() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&said);
    let outcome = process()
        .run(async move |tasks| {
            let hard = tasks.hard_shutdown();
            tasks.spawn("stream", async move {
                hard.cancelled().await;
                listener.lock().expect("unpoisoned").push("goodbye");
            });
            tasks.shut_down();
            Ok::<_, NoError>(())
        })
        .await;
    assert_eq!(*said.lock().expect("unpoisoned"), ["goodbye"]);
    assert_eq!(outcome.exit_status(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_the_process_as_failed_and_the_others_drain() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let finished = Arc::clone(&said);
    let outcome = process()
        .run(async move |tasks| {
            tasks.spawn("fragile", async { panic!("lost {}", "my head") });
            let soft = tasks.soft_shutdown();
            tasks.spawn("sturdy", async move {
                soft.cancelled().await;
                sleep(Duration::from_secs(1)).await;
                finished.lock().expect("unpoisoned").push("finished");
            });
            Ok::<_, NoError>(())
        })
        .await;
    assert_eq!(outcome.failures(), [failure("fragile", "panicked: lost my head")]);
    assert_eq!(outcome.exit_status(), 1);
    assert_eq!(*said.lock().expect("unpoisoned"), ["finished"]);
}

#[tokio::test(start_paused = true)]
async fn a_critical_task_must_not_end_by_itself() {
    let outcome = process()
        .run(async |tasks| {
            tasks.spawn_critical("server", async { Ok::<_, NoError>(()) });
            Ok::<_, NoError>(())
        })
        .await;
    assert_eq!(
        outcome.failures(),
        [failure("server", "ended although nobody asked it to")]
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot serve")]
    struct Outer(#[source] std::io::Error);

    let outcome = process()
        .run(async |tasks| {
            tasks.spawn_critical("server", async {
                Err(Outer(std::io::Error::other("port taken")))
            });
            Ok::<_, NoError>(())
        })
        .await;
    assert_eq!(
        outcome.failures(),
        [failure("server", "cannot serve: port taken")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_ends_what_it_has_started() {
    let outcome = process()
        .run(async |tasks| {
            let soft = tasks.soft_shutdown();
            tasks.spawn("first", async move { soft.cancelled().await });
            Err("no database")
        })
        .await;
    assert_eq!(outcome.failures(), [failure("start", "no database")]);
    assert_eq!(outcome.unfinished(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_long_can_be_ended() {
    let process = process();
    let tasks = process.tasks();
    let outcome = process
        .run(async move |inside| {
            tasks.shut_down();
            let waited = inside.unless_ending(sleep(Duration::from_hours(1))).await;
            if waited.is_some() {
                Err("waited for an hour")
            } else {
                Ok(())
            }
        })
        .await;
    assert!(outcome.is_clean(), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn attendants_serve_until_the_others_have_ended() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let (worker, attendant) = (Arc::clone(&order), Arc::clone(&order));
    let outcome = process()
        .run(async move |tasks| {
            let soft = tasks.soft_shutdown();
            tasks.spawn("worker", async move {
                soft.cancelled().await;
                sleep(Duration::from_secs(3)).await;
                worker.lock().expect("unpoisoned").push("worker ended");
            });
            tasks.spawn_attendant("health", async move {
                struct Dropped(Arc<Mutex<Vec<&'static str>>>);
                impl Drop for Dropped {
                    fn drop(&mut self) {
                        self.0.lock().expect("unpoisoned").push("attendant dropped");
                    }
                }
                let _dropped = Dropped(attendant);
                std::future::pending::<()>().await;
            });
            sleep(Duration::from_secs(1)).await;
            tasks.shut_down();
            Ok::<_, NoError>(())
        })
        .await;
    assert!(outcome.is_clean(), "{outcome:?}");
    assert_eq!(
        *order.lock().expect("unpoisoned"),
        ["worker ended", "attendant dropped"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_attendant_that_ends_fails_the_process() {
    let outcome = process()
        .run(async |tasks| {
            let soft = tasks.soft_shutdown();
            tasks.spawn("worker", async move { soft.cancelled().await });
            tasks.spawn_attendant("health", async {});
            Ok::<_, NoError>(())
        })
        .await;
    assert_eq!(
        outcome.failures(),
        [failure("health", "ended although nobody asked it to")]
    );
}
