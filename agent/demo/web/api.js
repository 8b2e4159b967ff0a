/** The server's HTTP interface. Every failure is a `Problem`. */

import { refusal, serverGone } from "./problems.js";

/**
 * @typedef {{id: string, title: string, description?: string}} SampleCall
 * @typedef {object} Demo
 * @property {SampleCall[]} calls
 * @property {string} [notice]
 * @property {string} policy
 * @property {{strained: number, distressed: number}} levels
 */

/** What the demo offers. @returns {Promise<Demo>} */
export async function describeDemo() {
  return (await request("/api/demo")).json();
}

/**
 * The caller's side of a sample call, as a file.
 * @param {string} id
 */
export async function fetchSample(id) {
  return (await request(`/api/calls/${encodeURIComponent(id)}.ogg`)).arrayBuffer();
}

/**
 * Offer a call; gives the answer.
 * @param {string} sdp
 * @param {boolean} analysis   whether the call may be analysed
 * @returns {Promise<{sdp: string, type: RTCSdpType, pc_id: string}>}
 */
export async function offerCall(sdp, analysis) {
  const body = { sdp, type: "offer", request_data: { analysis } };
  return (await request("/api/offer", "POST", body)).json();
}

/**
 * Tell the server where this browser can be reached.
 * @param {string} callId   the answer's `pc_id`
 * @param {RTCIceCandidate[]} candidates
 */
export async function sendCandidates(callId, candidates) {
  await request("/api/offer", "PATCH", {
    pc_id: callId,
    candidates: candidates.map((each) => ({
      candidate: each.candidate,
      sdp_mid: each.sdpMid,
      sdp_mline_index: each.sdpMLineIndex,
    })),
  });
}

/**
 * @param {string} path
 * @param {string} [method]
 * @param {object} [body]
 */
async function request(path, method = "GET", body) {
  const headers = new Headers();
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) headers.set("authorization", `Bearer ${token}`);
  if (body) headers.set("content-type", "application/json");
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw serverGone();
  }
  if (!response.ok) throw refusal(response.status, await detailOf(response));
  return response;
}

/** @param {Response} response */
async function detailOf(response) {
  try {
    const { detail } = await response.json();
    return typeof detail === "string" ? detail : "";
  } catch {
    return "";
  }
}
