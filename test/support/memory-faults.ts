/** Ports that fail by plan, before or after they have done what they were asked for. */

/** `after`: done, but the caller hears an error, as when a connection breaks before the answer. */
export type Fault = "none" | "throws" | "before" | "after";

type Method = (...parameters: unknown[]) => unknown;

/** `port` with each call's fate decided by `faultOf`, which is told the method's name. */
export function withFaults<Port extends object>(
  port: Port,
  faultOf: (method: string) => Fault,
): Port {
  return new Proxy(port, {
    get(target, property, receiver) {
      const member: unknown = Reflect.get(target, property, receiver);
      if (typeof member !== "function" || typeof property !== "string") return member;
      const call = member.bind(target) as Method;
      return (...parameters: unknown[]) => failing(call, parameters, property, faultOf(property));
    },
  });
}

function failing(call: Method, parameters: unknown[], name: string, fault: Fault): unknown {
  const reason = new Error(`${name} fails by plan`);
  if (fault === "throws") throw reason;
  if (fault === "before") return Promise.reject(reason);
  if (fault === "none") return call(...parameters);
  return Promise.resolve(call(...parameters)).then(() => Promise.reject(reason));
}
