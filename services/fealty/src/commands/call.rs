//! `fealty call`: any method of the suite from a shell, in JSON. It knows the protos, so it needs neither reflection nor
//! another program.

mod answer;
mod codec;
mod method;

use std::io::{Read as _, stdin};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, MethodDescriptor, Value};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};
use uuid::Uuid;

use self::codec::AnyCodec;
use crate::services::ServiceName;
use crate::tool;
use fealty_proto::events::v1::event_service_server::SERVICE_NAME as EVENT_SERVICE;

/// How long a call may take unless told otherwise: long enough for a person's patience.
const TIMEOUT_DEFAULT_S: u64 = 10;

/// Names the attempt of a call that makes or moves something.
const REQUEST_ID: &str = "request_id";

/// What to call, where and as whom.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The method: Service/Method, with as much of its package as you like: ProgramService/GetProgram,
    /// fealty.ledger.v1.BalanceService/GetBalance. "list" lists them all.
    #[arg(value_name = "SERVICE/METHOD")]
    pub method: String,
    /// The request in JSON, with the names of the protos; "-" reads it from standard input. A `request_id` that is left
    /// out is made.
    #[arg(value_name = "JSON", default_value = "{}")]
    pub request: String,
    /// The key to call with.
    #[arg(long, env = "FEALTY_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// The program that the call is about: for keys of the whole suite.
    #[arg(long, value_name = "ID", env = "FEALTY_PROGRAM_ID")]
    pub program: Option<String>,
    /// The members service.
    #[arg(
        long,
        value_name = "URL",
        env = "FEALTY_MEMBERS_URL",
        default_value = "http://127.0.0.1:7101"
    )]
    pub members: String,
    /// The ledger service.
    #[arg(
        long,
        value_name = "URL",
        env = "FEALTY_LEDGER_URL",
        default_value = "http://127.0.0.1:7102"
    )]
    pub ledger: String,
    /// The rewards service.
    #[arg(
        long,
        value_name = "URL",
        env = "FEALTY_REWARDS_URL",
        default_value = "http://127.0.0.1:7103"
    )]
    pub rewards: String,
    /// The surveys service.
    #[arg(
        long,
        value_name = "URL",
        env = "FEALTY_SURVEYS_URL",
        default_value = "http://127.0.0.1:7104"
    )]
    pub surveys: String,
    /// Whose events: each service serves its own by the same method, EventService/WatchEvents.
    #[arg(long, value_name = "NAME", value_enum, default_value_t = ServiceName::Ledger)]
    pub events_of: ServiceName,
    /// PEM file of the authority that signed the service's certificate, for https.
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// How many seconds the call may take.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_DEFAULT_S, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout_s: u64,
}

impl Args {
    /// The service that has the methods of this proto service.
    fn url_of(&self, service: &str) -> &str {
        let of = |name: &ServiceName| service.starts_with(&name.package());
        let shared = if service == EVENT_SERVICE {
            self.events_of
        } else {
            // The other one that is in nobody's package is the feed of access records, which members serves.
            ServiceName::Members
        };
        match ServiceName::ALL.into_iter().find(of).unwrap_or(shared) {
            ServiceName::Members => &self.members,
            ServiceName::Ledger => &self.ledger,
            ServiceName::Rewards => &self.rewards,
            ServiceName::Surveys => &self.surveys,
        }
    }
}

/// Calls the method and prints what it answers.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    tool::run(async move {
        if args.method == "list" {
            for path in method::paths() {
                tool::print_line(path)?;
            }
            return Ok(true);
        }
        let method = method::find(&args.method)?;
        let message = read_request(&args.request, method.input())?;
        match call(&args, &method, message).await? {
            Ok(()) => Ok(true),
            Err(status) => {
                eprint!("{}", answer::Refused(&status));
                Ok(false)
            }
        }
    })
}

async fn call(
    args: &Args,
    method: &MethodDescriptor,
    message: DynamicMessage,
) -> anyhow::Result<Result<(), Status>> {
    let service = method.parent_service().full_name().to_owned();
    let url = args.url_of(&service);
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(args.timeout_s));
    add_metadata(request.metadata_mut(), args)?;
    let path: PathAndQuery = format!("/{service}/{}", method.name()).parse()?;
    let mut client = Grpc::new(connect(url, args).await?);
    client
        .ready()
        .await
        .with_context(|| format!("cannot reach {url}"))?;
    // One message is a stream of one, so that methods of both kinds are called alike.
    let mut answers = match client
        .server_streaming(request, path, AnyCodec::new(method.output()))
        .await
    {
        Ok(response) => response.into_inner(),
        Err(status) => return Ok(Err(status)),
    };
    loop {
        match answers.message().await {
            Ok(Some(message)) => tool::print_line(&answer::json(&message)?)?,
            Ok(None) => return Ok(Ok(())),
            Err(status) => return Ok(Err(status)),
        }
    }
}

async fn connect(url: &str, args: &Args) -> anyhow::Result<Channel> {
    let timeout = Duration::from_secs(args.timeout_s);
    let mut endpoint = Endpoint::from_shared(url.to_owned())
        .with_context(|| format!("{url:?} is no URL of a service"))?
        .connect_timeout(timeout)
        .timeout(timeout);
    if url.starts_with("https://") {
        let mut tls = ClientTlsConfig::new();
        if let Some(path) = &args.certificate_authority {
            let pem = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        }
        endpoint = endpoint.tls_config(tls)?;
    }
    endpoint
        .connect()
        .await
        .with_context(|| format!("cannot reach {url}"))
}

fn add_metadata(metadata: &mut MetadataMap, args: &Args) -> anyhow::Result<()> {
    if let Some(key) = &args.key {
        let mut bearer: AsciiMetadataValue = format!("Bearer {key}")
            .parse()
            .context("the key has characters that no key has")?;
        bearer.set_sensitive(true);
        metadata.insert("authorization", bearer);
    }
    if let Some(program) = &args.program {
        let program = program.parse().context("the program is no id")?;
        metadata.insert("fealty-program-id", program);
    }
    Ok(())
}

fn read_request(text: &str, descriptor: MessageDescriptor) -> anyhow::Result<DynamicMessage> {
    let mut given = String::new();
    if text == "-" {
        stdin().read_to_string(&mut given)?;
    } else {
        text.clone_into(&mut given);
    }
    let name = descriptor.name().to_owned();
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let mut json = serde_json::Deserializer::from_str(&given);
    let mut message = DynamicMessage::deserialize_with_options(descriptor, &mut json, &options)
        .with_context(|| format!("the request is no {name}"))?;
    if json.end().is_err() {
        bail!("the request goes on after its end");
    }
    let lacks_id = message
        .get_field_by_name(REQUEST_ID)
        .is_some_and(|value| value.as_str() == Some(""));
    if lacks_id {
        message.set_field_by_name(REQUEST_ID, Value::String(Uuid::new_v4().to_string()));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(method: &str) -> MessageDescriptor {
        method::find(method).expect("a method").input()
    }

    #[test]
    fn a_request_id_that_is_left_out_is_made_and_a_given_one_kept() {
        let descriptor = input("UnitService/CreateUnit");
        let made = read_request("{}", descriptor.clone()).expect("a request");
        let id = made
            .get_field_by_name(REQUEST_ID)
            .expect("the field")
            .into_owned();
        assert!(
            id.as_str().is_some_and(|id| Uuid::parse_str(id).is_ok()),
            "{id:?}"
        );

        let kept = read_request(r#"{"requestId": "mine"}"#, descriptor).expect("a request");
        let id = kept
            .get_field_by_name(REQUEST_ID)
            .expect("the field")
            .into_owned();
        assert_eq!(id.as_str(), Some("mine"));
    }

    #[test]
    fn a_field_that_does_not_exist_is_named() {
        let refused = read_request(r#"{"memberid": "x"}"#, input("GetMember")).expect_err("no such field");
        assert!(format!("{refused:#}").contains("memberid"), "{refused:#}");
        assert!(read_request("{} {}", input("GetMember")).is_err());
    }
}
