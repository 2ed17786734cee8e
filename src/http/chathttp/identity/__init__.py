"""Who a caller is: access tokens, and the embedded identity provider behind the same routes as Cognito."""
