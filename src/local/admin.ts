/** A small client of the admin routes, for the programs in this folder and the tests. */

export interface AdminAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whoever reads an answer knows its shape
  readonly body: any;
  readonly headers: Headers;
}

export interface Admin {
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<AdminAnswer>;
  /** Creates or replaces; throws with the problem when that is refused. */
  put(path: string, body: unknown): Promise<AdminAnswer>;
  get(path: string): Promise<AdminAnswer>;
  post(path: string, body?: unknown): Promise<AdminAnswer>;
}

export function createAdmin(origin: string, token: string): Admin {
  const request: Admin["request"] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${origin}/admin/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") === true;
    return {
      status: response.status,
      body: isJson ? JSON.parse(text) : text,
      headers: response.headers,
    };
  };
  return {
    request,
    get: (path) => request("GET", path),
    post: (path, body) => request("POST", path, body),
    async put(path, body) {
      const answer = await request("PUT", path, body);
      if (answer.status >= 300) {
        throw new Error(`PUT ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      }
      return answer;
    },
  };
}
