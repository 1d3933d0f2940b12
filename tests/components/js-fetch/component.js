export async function fetchText(url) {
  let response;
  try {
    response = await fetch(url);
    if (response.ok) return await response.text();
  } catch (error) {
    throw `${error.name}: ${error.message}${error.cause ? ` (${error.cause})` : ''}`;
  }
  throw `HTTP status ${response.status}`;
}
