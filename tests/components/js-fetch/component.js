export async function fetchText(url) {
  let response;
  try {
    response = await fetch(url);
    if (response.ok) return await response.text();
  } catch (error) {
    throw explained(error);
  }
  throw `HTTP status ${response.status}`;
}

export async function request(method, url, headers, body) {
  try {
    const response = await fetch(url, { method, headers, ...(body ? { body } : {}) });
    const text = await response.text();
    return { status: response.status, headers: [...response.headers], body: text };
  } catch (error) {
    throw explained(error);
  }
}

export async function together(url, count) {
  const one = () => fetch(url).then((response) => String(response.status), explained);
  return await Promise.all(Array.from({ length: count }, one));
}

function explained(error) {
  return `${error.name}: ${error.message}${error.cause ? ` (${error.cause})` : ''}`;
}
