/** CloudEvents 1.0 over HTTP: what the modes share, and the batched and binary ones. */
import { CloudEvent, HTTP } from "cloudevents";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readArchived } from "../../../src/core/ingest/events.ts";
import { BATCH_EVENTS_MAX, FAULTS_MAX, JSON_DEPTH_MAX } from "../../../src/core/ingest/limits.ts";
import { BATCH, BINARY, REQUIRED, STRUCTURED, structured } from "./cloudevent.ts";
import { eventOf, eventsOf, faultsOf, readingOf, textOf, tools } from "./request.ts";

describe("the CloudEvents SDK as sender", () => {
  const event = new CloudEvent({
    id: "7",
    source: "https://acme.example/orders?x=1#y",
    type: "order.paid",
    subject: "orders/7",
    time: "2026-11-21T09:00:00.000Z",
    datacontenttype: "application/json",
    dataschema: "https://acme.example/schema.json",
    data: { amount: 12, items: ["a"] },
    tenantid: "t1",
  });
  const expected = {
    key: '["https://acme.example/orders?x=1#y","7"]',
    keyFrom: "cloudevent:source,id",
    type: "order.paid",
    subject: "orders/7",
    time: "2026-11-21T09:00:00.000Z",
    data: { amount: 12, items: ["a"] },
    cloudevent: {
      specversion: "1.0",
      id: "7",
      source: "https://acme.example/orders?x=1#y",
      type: "order.paid",
      subject: "orders/7",
      time: "2026-11-21T09:00:00.000Z",
      datacontenttype: "application/json",
      dataschema: "https://acme.example/schema.json",
      tenantid: "t1",
    },
  };

  it.each(["binary", "structured"] as const)("is understood in %s mode", (mode) => {
    const { headers, body } = HTTP[mode](event);
    const pairs = Object.entries(headers as Record<string, string>);
    const read = eventOf(pairs, String(body));
    expect(read).toMatchObject(expected);
    expect(textOf(read.body)).toBe(body);
  });

  it("is understood in a batch", () => {
    const [first, second] = eventsOf(BATCH, JSON.stringify([event, event.cloneWith({ id: "8" })]));
    expect(first).toMatchObject(expected);
    expect(second).toMatchObject({ key: '["https://acme.example/orders?x=1#y","8"]' });
  });

  it("is understood when it sends bytes", () => {
    const bytes = event.cloneWith({
      data: Uint8Array.of(0xff, 0x00),
      datacontenttype: "image/png",
    });
    const { headers, body } = HTTP.structured(bytes);
    expect(eventOf(Object.entries(headers as Record<string, string>), String(body)).data).toEqual({
      base64: "/wA=",
    });
  });
});

describe("modes", () => {
  it("give the same data for the same bytes, whatever they are", () => {
    const types = fc.constantFrom("application/json", "text/plain", "image/png");
    const bodies = fc.oneof(
      fc.json().map((json) => Buffer.from(json)),
      fc.uint8Array(),
    );
    fc.assert(
      fc.property(bodies, types, (bytes, datacontenttype) => {
        const binary = eventOf({ ...BINARY, "content-type": datacontenttype }, bytes);
        const more = { datacontenttype, data_base64: Buffer.from(bytes).toString("base64") };
        expect(eventOf(STRUCTURED, structured(more)).data).toEqual(binary.data);
      }),
    );
  });

  it("give their data again from the archived bytes and content type alone", () => {
    const body = structured({ data_base64: "eyJhIjpbMV19" });
    const events = [
      eventOf(STRUCTURED, body),
      eventOf({ ...BINARY, "content-type": "text/plain" }, "hi"),
      eventOf({ "content-type": "application/x-www-form-urlencoded" }, "a=1"),
      eventOf({}, Uint8Array.of(0xff)),
      ...eventsOf(BATCH, `[${body}, ${structured({ data: "x" })}]`),
    ];
    for (const event of events) {
      const read = readArchived(event.body, event.contentType, tools.text);
      expect(read.data).toEqual(event.data);
    }
  });

  it("agree on the key, which joins source and id without ambiguity", () => {
    const keyOf = (source: string, id: string) =>
      eventOf(STRUCTURED, structured({ source, id })).key;
    expect(eventOf(BINARY, "").key).toBe(eventOf(STRUCTURED, structured()).key);
    expect(keyOf("/a", "b/c")).not.toBe(keyOf("/a/b", "c"));
    expect(keyOf("/a", '","b')).not.toBe(keyOf("/a,", "b"));
  });

  it("are recognised by the content type before the headers", () => {
    const headers = { ...STRUCTURED, ...BINARY, "ce-id": "other", "ce-specversion": "0.3" };
    expect(eventOf(headers, structured()).cloudevent?.id).toBe("A234-1234");
  });

  it.each([
    "application/cloudevents+avro",
    "application/cloudevents+protobuf",
    "application/cloudevents-batch+xml",
    "application/cloudevents",
    "application/CloudEvents-batch",
  ])("other than JSON are refused: %s", (type) => {
    expect(readingOf({ ...BINARY, "content-type": type }, structured())).toMatchObject({
      problem: "unsupported-media-type",
      detail: expect.stringContaining(type),
    });
  });
});

describe("batched mode", () => {
  const ALONE = { "content-type": "application/cloudevents+json" };

  it("gives each event its own original text", () => {
    const first = `{ "data" : {"n":9007199254740993,"s":"],[\\"€"}, ${structured().slice(1)}`;
    const second = structured({ id: "2", data: "😀" });
    const events = eventsOf(BATCH, `\uFEFF [\n${first} ,\t${second}\r\n] `);
    expect(events.map((event) => textOf(event.body))).toEqual([first, second]);
    expect(events.map((event) => event.contentType)).toEqual(
      Array(2).fill("application/cloudevents+json"),
    );
  });

  it("reads each element as it would be read alone", () => {
    const element = fc.record({
      id: fc.string({ unit: "grapheme-ascii", minLength: 1 }),
      data: fc.jsonValue(),
    });
    fc.assert(
      fc.property(fc.array(element, { maxLength: 4 }), (elements) => {
        const texts = elements.map((more) => structured(more));
        const events = eventsOf(BATCH, `[${texts.join(",")}]`);
        const alone = texts.map((text) => eventOf(ALONE, text));
        expect(events).toEqual(alone);
      }),
    );
  });

  it("may be empty and gives no events then", () => {
    expect(readingOf(BATCH, " [ ] ")).toEqual({ ok: true, form: "batch", events: [] });
  });

  it("is refused as a whole with every fault of every element", () => {
    const body = `[${structured()},${structured({ time: "x" })},5,${structured({ id: null })}]`;
    expect(faultsOf(BATCH, body)).toEqual([
      ["/1/time", "format"],
      ["/2", "type"],
      ["/3/id", "missing"],
    ]);
  });

  it("lists the first faults only when there are more than anybody reads", () => {
    const reading = readingOf(
      BATCH,
      `[${Array(FAULTS_MAX + 1)
        .fill("0")
        .join(",")}]`,
    );
    if (reading.ok) throw new Error("accepted");
    expect(reading.errors).toHaveLength(FAULTS_MAX);
    expect(reading.detail).toContain(String(FAULTS_MAX + 1));
  });

  it("is refused when it is no array or has more elements than the limit", () => {
    const many = `[${Array(BATCH_EVENTS_MAX + 1)
      .fill(structured())
      .join(",")}]`;
    for (const body of [structured(), "null"]) {
      expect(readingOf(BATCH, body)).toMatchObject({ problem: "malformed-request" });
    }
    expect(readingOf(BATCH, many)).toMatchObject({
      problem: "payload-too-large",
      extensions: { eventsMax: BATCH_EVENTS_MAX },
    });
  });
});

describe("binary mode", () => {
  it("decodes every attribute and takes the content type as an attribute too", () => {
    const headers = {
      ...BINARY,
      "content-type": "text/plain",
      "CE-Subject": "Euro%20%e2%82%ac",
      "ce-comacme": '"a b"',
      "x-other": "%",
    };
    expect(eventOf(headers, "hi")).toMatchObject({
      type: "com.acme.made",
      subject: "Euro €",
      contentType: "text/plain",
      data: { text: "hi" },
      cloudevent: { ...REQUIRED, subject: "Euro €", comacme: "a b", datacontenttype: "text/plain" },
    });
  });

  it("is not assumed without ce-specversion", () => {
    const { "ce-specversion": _, ...rest } = BINARY;
    expect(eventOf(rest, "{}").cloudevent).toBeUndefined();
  });

  it.each(["id", "source", "type"])("is refused without ce-%s", (name) => {
    const { [`ce-${name}`]: _, ...rest } = BINARY as Record<string, string>;
    expect(faultsOf(rest, "")).toEqual([[`/${name}`, "missing"]]);
  });

  it.each(["%", "%zz", "%C0%A0", '"open'])(
    "is refused once for a value that cannot be decoded: %s",
    (value) => {
      expect(faultsOf({ ...BINARY, "ce-id": value }, "")).toEqual([["/id", "encoding"]]);
    },
  );

  it("is refused with an encoded control character", () => {
    expect(faultsOf({ ...BINARY, "ce-id": "a%00" }, "")).toEqual([["/id", "character"]]);
  });

  it("is refused with the same attribute twice, in any case", () => {
    const headers = [...Object.entries(BINARY), ["CE-ID", "other"] as const];
    expect(faultsOf(headers, "")).toEqual([["/id", "duplicate"]]);
  });

  it("is refused with ce-datacontenttype, ce-data and names that are none", () => {
    const more = { "ce-datacontenttype": "text/plain", "ce-data": "x", "ce-a-b": "x", "ce-": "x" };
    expect([...faultsOf({ ...BINARY, ...more }, "")].sort()).toEqual([
      ["/", "name"],
      ["/a-b", "name"],
      ["/data", "name"],
      ["/datacontenttype", "encoding"],
    ]);
  });

  it("is refused as malformed when its body nests too deep", () => {
    expect(readingOf(BINARY, "[".repeat(JSON_DEPTH_MAX + 1))).toMatchObject({
      problem: "malformed-request",
    });
  });
});
