//! What each path of the admin endpoint answers. No IO: others are asked through the `AdminView`.

use bytes::Bytes;
use capitana_core::services::targets::targets;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use prometheus::{Encoder, Registry, TextEncoder};

use super::caller::Caller;
use super::{AdminView, Order, probes};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const HELP: &str = "/metrics  Prometheus text\n/healthz  200 while the process lives\n\
                    /readyz   200 when it does its work, else 503 and why\n/status   JSON\n\
                    /config   every setting that holds, and where it comes from\n\
                    /sd       all processes, as Prometheus' HTTP service discovery\n/help     this text\n";

pub(super) async fn answer<B>(
    request: &Request<B>,
    caller: Caller,
    registry: &Registry,
    view: &dyn AdminView,
) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if let Some(order) = order(path) {
        return carry_out(order, request, caller, view).await;
    }
    if let Some(answer) = probes::answer(path, request.method(), view) {
        return answer;
    }
    match (path.strip_prefix("/sessions/"), request.method()) {
        (Some(id), &Method::DELETE) => end_session(id, view).await,
        (None, &Method::GET | &Method::HEAD) if path == "/sessions" => sessions(view).await,
        (None, &Method::GET | &Method::HEAD) if path == "/sd" => service_discovery(view).await,
        _ => answer_now(request, registry, view),
    }
}

fn order(path: &str) -> Option<Order> {
    match path {
        "/step-down" => Some(Order::StepDown),
        "/rejoin" => Some(Order::Rejoin),
        _ => None,
    }
}

/// 200 when it has taken effect, 202 when it will.
async fn carry_out<B>(
    order: Order,
    request: &Request<B>,
    caller: Caller,
    view: &dyn AdminView,
) -> Response<Full<Bytes>> {
    if *request.method() != Method::POST {
        return not_allowed("POST");
    }
    let by = match caller.may_order(request.headers()) {
        Ok(by) => by,
        Err(why) => return text(StatusCode::FORBIDDEN, format!("refused: {why}\n")),
    };
    match view.carry_out(order, by) {
        Some(carried_out) => {
            let ordered = carried_out.await;
            let status = if ordered.done { StatusCode::OK } else { StatusCode::ACCEPTED };
            respond(status, JSON, format!("{:#}\n", ordered.answer).into())
        }
        None => text(StatusCode::NOT_FOUND, "only an agent leaves and joins the election\n".into()),
    }
}

/// Prometheus keeps the list it has when it gets no 200: what is not known now is not answered from memory.
async fn service_discovery(view: &dyn AdminView) -> Response<Full<Bytes>> {
    let Some(services) = view.services() else {
        return text(StatusCode::NOT_FOUND, "no ZooKeeper is known here\n".into());
    };
    match services.await {
        Ok(list) => match serde_json::to_vec(&targets(&list.services)) {
            Ok(body) => respond(StatusCode::OK, JSON, body.into()),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn sessions(view: &dyn AdminView) -> Response<Full<Bytes>> {
    match view.sessions() {
        Some(sessions) => respond(StatusCode::OK, JSON, format!("{:#}\n", sessions.await).into()),
        None => text(StatusCode::NOT_FOUND, "there are no client sessions here\n".into()),
    }
}

async fn end_session(id: &str, view: &dyn AdminView) -> Response<Full<Bytes>> {
    let Ok(number) = id.parse() else {
        return text(StatusCode::BAD_REQUEST, "a session's id is a number, as in /sessions\n".into());
    };
    let found = match view.end_session(number) {
        Some(found) => found.await,
        None => false,
    };
    if found {
        return text(StatusCode::OK, format!("session {number} is told to end\n"));
    }
    text(StatusCode::NOT_FOUND, format!("there is no session {number}\n"))
}

fn answer_now<B>(request: &Request<B>, registry: &Registry, view: &dyn AdminView) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_allowed("GET, HEAD");
    }
    match request.uri().path() {
        "/metrics" => metrics(registry),
        "/healthz" => text(StatusCode::OK, "ok\n".into()),
        "/readyz" => match view.ready() {
            Ok(()) => text(StatusCode::OK, "ready\n".into()),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        },
        "/status" => respond(StatusCode::OK, JSON, format!("{:#}\n", view.status()).into()),
        "/config" => text(StatusCode::OK, view.settings()),
        "/" | "/help" => text(StatusCode::OK, help(view)),
        _ => text(StatusCode::NOT_FOUND, format!("no such path; here are:\n{}", help(view))),
    }
}

fn help(view: &dyn AdminView) -> String {
    format!("{HELP}{}", view.more_help())
}

/// `allowed` are the methods that are answered.
pub(super) fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, format!("answered here: {allowed}\n"));
    refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    refused
}

fn metrics(registry: &Registry) -> Response<Full<Bytes>> {
    let encoder = TextEncoder::new();
    let mut body = Vec::new();
    match encoder.encode(&registry.gather(), &mut body) {
        Ok(()) => respond(StatusCode::OK, encoder.format_type(), body.into()),
        Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be encoded: {e}\n")),
    }
}

pub(super) fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    respond(status, TEXT, body.into())
}

fn respond(status: StatusCode, kind: &str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}
