import { ConfigError, DataError, type MimicError, RequestError } from '../../base/errors.js';

/** The one shape of every error answer, also inside an event stream. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    /** Wrong fields of the body, by path. */
    readonly fields?: unknown;
  };
}

const HTTP_CODES: Readonly<Record<number, string>> = {
  400: 'E_REQUEST_BODY',
  404: 'E_NOT_FOUND',
  413: 'E_BODY_TOO_LARGE',
  415: 'E_CONTENT_TYPE',
};

/** The status and code under which a client sees `error`; what is not the client's doing becomes a bare 500. */
export function toRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  if (error instanceof DataError) return restated(422, error);
  if (error instanceof ConfigError) return restated(400, error);
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (error instanceof Error && status >= 400 && status < 500) {
    return new RequestError(status, HTTP_CODES[status] ?? `E_HTTP_${status}`, error.message, { cause: error });
  }
  return new RequestError(500, 'E_INTERNAL', 'internal error', {
    hint: 'report the x-request-id of this answer',
    cause: error,
  });
}

export function errorBody({ code, message, hint, context }: RequestError): ErrorBody {
  const fields = context['fields'];
  return {
    error: { code, message, ...(hint === undefined ? {} : { hint }), ...(fields === undefined ? {} : { fields }) },
  };
}

function restated(status: number, error: MimicError): RequestError {
  return new RequestError(status, error.code, error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}
